# The base policy: the one place where an author's answers become a decision.
#
# Grants give, policy narrows. A call passes when no reason speaks against it;
# whatever is missing, unreadable or misshapen is itself a reason.
# The compiler adds writ/needs.rego: whether the author defined allow, and whether
# a rule reads the body.
package writ

# decision is the only entrypoint the engine calls.
decision := {
	"allow": count(reasons) == 0,
	"reasons": array.slice(sort(reasons), 0, 16),
	"obligations": sort({obligation | some obligation in data.policy.obligation}),
}

reasons contains reason if {
	some answer in data.policy.deny
	reason := named(answer)
}

# An author who defines allow means: this and nothing else.
reasons contains "not_allowed" if {
	not data.writ.needs.allow == false
	not data.policy.allow == true
}

reasons contains "input_incomplete" if not input_complete

reasons contains "runtime_untrusted" if not input.trust.state == "trusted"

# A body that cannot be read is refused even where no rule would have read it:
# nobody can say what it asks for.
reasons contains reason if {
	some state, reason in {"unparsable": "content_unparsable", "too_large": "content_too_large"}
	input.call.content.state == state
}

reasons contains "content_unread" if {
	not data.writ.needs.content == false
	not input.call.content.state in {"none", "parsed"}
}

input_complete if {
	input.call.method
	input.call.host
	input.call.segments
	input.call.content.state in {"none", "parsed", "unparsable", "too_large", "unread"}
	input.grant.sub
	input.time.unix_ms
}

# Receipts carry names only, so an answer that is not a name still denies, unnamed.
# (trim, not a regex: WASM would compile the regex anew at every evaluation, for 400 µs.)
default named(_) := "reason_unnamed"

named(answer) := answer if {
	count(answer) > 0
	count(answer) <= 64
	trim(answer, "abcdefghijklmnopqrstuvwxyz0123456789_.") == ""
}
