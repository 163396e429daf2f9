package policy_test

import data.policy
import data.writ
import data.writ.sample

test_reading_passes if {
	writ.decision.allow with input as sample.call
}

test_delete_without_a_ticket_is_refused if {
	policy.deny == {"delete_needs_ticket"} with input as sample.of({"call": {"method": "DELETE"}})
}

test_delete_with_a_ticket_passes if {
	policy.deny == set() with input as sample.of({
		"call": {"method": "DELETE"},
		"grant": {"claims": {"ticket": "OPS-7"}},
	})
}

test_a_call_ends if {
	policy.obligation == {{"type": "max_seconds", "value": 300}}
}
