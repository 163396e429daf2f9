# Which models an agent may ask, for how much, and with which tools.
#
# Teaches: reading the body as a call of a model. A rule that names input.call.content.llm
# makes the sidecar read bodies; those it cannot read in exactly one way are refused, by
# itself. What such a rule looks up may still be missing: the agent wrote it. So each deny
# has a rule for what must hold, and says not in front of its name.
package policy

to_a_provider if {
	data.providers[input.call.host]
	input.call.method == "POST"
}

# Files, batches, fine-tuning: whatever is no question to a model.
deny contains "not_a_question" if {
	to_a_provider
	not input.call.content.llm
}

deny contains "model_not_listed" if {
	to_a_provider
	not model_listed
}

model_listed if data.models[input.call.content.llm.model]

deny contains "too_many_tokens" if {
	to_a_provider
	not within_limit
}

# A question without a limit of its own is not within ours.
within_limit if {
	input.call.content.llm.max_tokens <= data.models[input.call.content.llm.model].max_tokens
}

# Tools that the provider runs itself reach places that no grant names.
deny contains "tool_not_listed" if {
	to_a_provider
	some tool in input.call.content.llm.tools
	not data.tools[tool]
}

obligation contains {"type": "max_response_bytes", "value": 10485760} if to_a_provider
