package policy_test

import data.policy

test_reading_passes if {
	count(policy.deny) == 0 with input.call.method as "GET"
}

test_delete_without_a_ticket_is_refused if {
	"delete_needs_ticket" in policy.deny with input as {"call": {"method": "DELETE"}, "grant": {"claims": {}}}
}

test_delete_with_a_ticket_passes if {
	count(policy.deny) == 0 with input as {"call": {"method": "DELETE"}, "grant": {"claims": {"ticket": "OPS-7"}}}
}

test_a_call_ends if {
	{"type": "max_seconds", "value": 300} in policy.obligation
}
