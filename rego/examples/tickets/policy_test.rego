package policy_test

import data.policy
import data.writ.sample

monday_noon := {"weekday": 1, "hour": 12}

change(claims, time) := sample.of({"call": {"method": "PATCH"}, "grant": {"claims": claims}, "time": time})

test_reading_needs_nothing if {
	policy.deny == set() with input as sample.call
}

test_a_change_with_a_ticket_at_noon_passes if {
	policy.deny == set() with input as change({"ticket": "OPS-7"}, monday_noon)
}

test_a_change_without_a_ticket_is_refused if {
	policy.deny == {"change_needs_ticket"} with input as change({}, monday_noon)
}

test_a_change_at_night_or_on_sunday_is_refused if {
	every time in [{"weekday": 1, "hour": 3}, {"weekday": 0, "hour": 12}, {"weekday": 5, "hour": 18}] {
		policy.deny == {"change_outside_hours"} with input as change({"ticket": "OPS-7"}, time)
	}
}

test_force_is_refused_among_several_values if {
	policy.deny == {"force_is_not_for_agents"} with input as sample.of({"call": {"headers": {"x-force": ["false", "true"]}}})
}

test_only_changes_are_limited_in_size if {
	{"type": "max_request_bytes", "value": 1048576} in policy.obligation with input as change({}, monday_noon)
	policy.obligation == {{"type": "max_seconds", "value": 60}} with input as sample.call
}
