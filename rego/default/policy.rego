# The policy of a fresh Writ: what a grant gives may be read; to remove something,
# the grant must also name the ticket that asks for it.
#
# Replace it with a folder of your own: writ dev --policy DIR
package policy

deny contains "delete_needs_ticket" if {
	input.call.method == "DELETE"
	not input.grant.claims.ticket
}

# No single call may run for ever.
obligation contains {"type": "max_seconds", "value": 300}
