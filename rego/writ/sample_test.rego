# Sample inputs for tests: a whole, permitted call to start from.
#
#     import data.writ.sample
#
#     test_delete_is_refused if {
#         "delete_needs_ticket" in policy.deny with input as sample.of({"call": {"method": "DELETE"}})
#     }
package writ.sample

# of is the sample with some members replaced, at any depth.
of(changes) := object.union(call, changes)

call := {
	"call": {
		"method": "GET",
		"scheme": "https",
		"host": "api.example.com",
		"port": 443,
		"origin": "https://api.example.com",
		"path": "/v1/items",
		"segments": ["v1", "items"],
		"query": {},
		"headers": {"accept": ["application/json"], "authorization": ["bearer"]},
		"content": {"state": "none"},
		"carrier": "forward",
		"mode": "jailed",
	},
	"grant": {
		"iss": "https://authority.example.com",
		"sub": "agent:research-1",
		"jti": "01890a5d-ac96-774b-bcce-b302099a8057",
		"aud": "localhost/writ/0123456789abcdef",
		"exp": 1767226500,
		"iat": 1767225600,
		"claims": {},
		"entry": 0,
		"chain_length": 1,
	},
	"trust": {"state": "trusted"},
	"time": {"now": "2026-01-01T00:00:00.000Z", "unix_ms": 1767225600000, "weekday": 4, "hour": 0},
}
