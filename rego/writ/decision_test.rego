package writ_test

import data.writ
import data.writ.sample

plain := {"allow": false, "content": false}

test_a_call_that_no_rule_denies_passes if {
	writ.decision == {"allow": true, "reasons": [], "obligations": []} with input as sample.call
		with data.policy.deny as set()
		with data.writ.needs as plain
}

test_reasons_are_sorted_and_deny if {
	decision := writ.decision with input as sample.call
		with data.policy.deny as {"zulu", "alpha"}
		with data.writ.needs as plain
	decision == {"allow": false, "reasons": ["alpha", "zulu"], "obligations": []}
}

test_at_most_sixteen_reasons_are_told if {
	many := {reason | some n in numbers.range(10, 40); reason := $"reason_{n}"}
	decision := writ.decision with input as sample.call
		with data.policy.deny as many
		with data.writ.needs as plain
	decision.allow == false
	count(decision.reasons) == 16
}

test_a_reason_that_is_no_name_denies_unnamed if {
	every misshapen in [42, true, null, {"code": "x"}, ["x"], "Not a name", "", "ümlaut"] {
		decision := writ.decision with input as sample.call
			with data.policy.deny as {misshapen}
			with data.writ.needs as plain
		decision == {"allow": false, "reasons": ["reason_unnamed"], "obligations": []}
	}
}

test_a_deny_that_is_no_set_still_denies if {
	every answer in [["a"], {"k": "a"}] {
		decision := writ.decision with input as sample.call
			with data.policy.deny as answer
			with data.writ.needs as plain
		decision.reasons == ["a"]
	}
}

test_allow_where_defined_must_be_true if {
	every answer in [false, null, 1, "true", {"allow": true}, [true]] {
		decision := writ.decision with input as sample.call
			with data.policy.allow as answer
			with data.writ.needs as {"allow": true, "content": false}
		decision.reasons == ["not_allowed"]
	}
}

test_an_undefined_allow_denies if {
	decision := writ.decision with input as sample.call with data.writ.needs as {"allow": true, "content": false}
	decision.reasons == ["not_allowed"]
}

test_allow_true_passes if {
	decision := writ.decision with input as sample.call
		with data.policy.allow as true
		with data.writ.needs as {"allow": true, "content": false}
	decision.allow == true
}

test_deny_outweighs_allow if {
	decision := writ.decision with input as sample.call
		with data.policy.allow as true
		with data.policy.deny as {"no"}
		with data.writ.needs as {"allow": true, "content": false}
	decision == {"allow": false, "reasons": ["no"], "obligations": []}
}

test_without_the_compilers_needs_nothing_passes if {
	decision := writ.decision with input as sample.call
	decision.allow == false
	"not_allowed" in decision.reasons
}

test_an_input_that_lacks_anything_is_refused if {
	every path in [
		"/call", "/call/method", "/call/host", "/call/segments", "/call/content", "/call/content/state",
		"/grant", "/grant/sub", "/time", "/time/unix_ms",
	] {
		decision := writ.decision with input as json.remove(sample.call, [path])
			with data.writ.needs as plain
		decision.allow == false
		"input_incomplete" in decision.reasons
	}
}

test_an_empty_input_is_refused if {
	writ.decision.allow == false with input as {} with data.writ.needs as plain
}

test_no_input_is_refused if {
	writ.decision.allow == false with data.writ.needs as plain
}

test_a_runtime_that_is_not_trusted_is_refused if {
	every state in ["drifted", "halted", "", null, true] {
		decision := writ.decision with input as sample.of({"trust": {"state": state}})
			with data.writ.needs as plain
		decision.reasons == ["runtime_untrusted"]
	}
}

test_a_body_that_cannot_be_read_is_refused if {
	every state, reason in {"unparsable": "content_unparsable", "too_large": "content_too_large"} {
		decision := writ.decision with input as sample.of({"call": {"content": {"state": state}}})
			with data.writ.needs as plain
		decision.reasons == [reason]
	}
}

test_an_unread_body_passes_where_no_rule_reads_it if {
	writ.decision.allow == true with input as sample.of({"call": {"content": {"state": "unread"}}})
		with data.writ.needs as plain
}

test_an_unread_body_is_refused_where_a_rule_reads_it if {
	decision := writ.decision with input as sample.of({"call": {"content": {"state": "unread"}}})
		with data.writ.needs as {"allow": false, "content": true}
	decision.reasons == ["content_unread"]
}

test_an_unknown_content_state_is_refused if {
	writ.decision.allow == false with input as sample.of({"call": {"content": {"state": "half"}}})
		with data.writ.needs as plain
}

test_obligations_are_handed_on_sorted if {
	limits := {{"type": "max_seconds", "value": 9}, {"type": "max_request_bytes", "value": 5}}
	decision := writ.decision with input as sample.call
		with data.policy.obligation as limits
		with data.writ.needs as plain
	[limit.type | some limit in decision.obligations] == ["max_request_bytes", "max_seconds"]
}
