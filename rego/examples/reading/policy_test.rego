package policy_test

import data.writ
import data.writ.sample

decide(changes) := decision if {
	decision := writ.decision with input as sample.of({"call": changes})
}

test_reading_from_a_listed_host_passes if decide({"host": "api.github.com"}).allow

test_another_host_is_refused if decide({"host": "example.com"}).reasons == ["not_allowed"]

test_writing_is_refused_with_its_own_reason if {
	"method_changes_something" in decide({"host": "api.github.com", "method": "POST"}).reasons
}
