# What a request to a model says, whatever the agent really sent.
#
# The functions take the whole content and look for themselves: a call whose operand
# is missing would not be made at all, and would not reach the default either.
package lib.body

# The model asked for; without a readable name one that is on no list.
default model(_) := "none"

model(content) := trim_suffix(content.json.model, "-latest")

# No readable figure counts as more than any limit.
default tokens(_) := 9007199254740991

tokens(content) := content.json.max_tokens if is_number(content.json.max_tokens)
