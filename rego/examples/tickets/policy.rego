# Changes need a ticket, and people around to look at them.
#
# Teaches: `deny` with facts that the authority put into the grant (claims), time
# from the input (a policy has no clock of its own, so that any decision can be
# replayed), obligations, and headers as what they are: arrays.
package policy

changes if not input.call.method in {"GET", "HEAD", "OPTIONS"}

deny contains "change_needs_ticket" if {
	changes
	not input.grant.claims.ticket
}

deny contains "change_outside_hours" if {
	changes
	not office_hours
}

# The upstream deletes at once where this header says so.
deny contains "force_is_not_for_agents" if "true" in input.call.headers["x-force"]

# Monday to Friday, 07:00 to 17:59 UTC.
office_hours if {
	input.time.weekday in {1, 2, 3, 4, 5}
	input.time.hour >= 7
	input.time.hour < 18
}

obligation contains {"type": "max_request_bytes", "value": 1048576} if changes

obligation contains {"type": "max_seconds", "value": 60}
