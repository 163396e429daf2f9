# Which models an agent may ask, and for how much.
#
# Teaches: reading the body. It was written by the agent, so it may have any shape,
# and a builtin that meets the wrong one makes its rule undefined; a deny that is
# undefined would let the call pass. That is why such calls stand in functions that
# have a default (lib/body.rego), and the default is the answer that denies.
# A policy that reads the body refuses bodies it cannot read, by itself.
package policy

import data.lib.body

asks_a_model if {
	input.call.host == "api.openai.com"
	input.call.method == "POST"
	input.call.segments[0] == "v1"
}

deny contains "model_not_listed" if {
	asks_a_model
	not data.models[body.model(input.call.content)]
}

deny contains "too_many_tokens" if {
	asks_a_model
	body.tokens(input.call.content) > data.models[body.model(input.call.content)].max_tokens
}

obligation contains {"type": "max_response_bytes", "value": 10485760} if asks_a_model
