# Reading only, and only from hosts on a list.
#
# Teaches: `allow`. Where it is defined it must be true, so everything that the
# rules below do not name is refused: the short policy for an agent that only reads.
# The list lies in data.json, where it costs the same with ten hosts as with ten
# thousand.
package policy

default allow := false

allow if {
	input.call.method in {"GET", "HEAD"}
	data.hosts[input.call.host]
}

# A reason of its own tells the agent more than `not_allowed` does.
deny contains "method_changes_something" if not input.call.method in {"GET", "HEAD"}
