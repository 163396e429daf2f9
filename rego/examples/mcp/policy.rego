# Which tools of an MCP server an agent may call, and with which arguments.
#
# Teaches: reading the body as messages, and looking into what the agent wrote. The
# messages of a batch are decided one by one, so that a rule sees one at a time and one
# denial refuses them all. A builtin that meets an argument of another shape makes its
# rule undefined, and an undefined deny lets the call pass: hence the function with a
# default, which is given the content whole, so that it is called whatever is missing.
package policy

to_the_server if {
	data.servers[input.call.host]
	input.call.method == "POST"
}

deny contains "not_a_message" if {
	to_the_server
	not input.call.content.mcp
}

# Answers to what the server asked have no method.
deny contains "method_not_listed" if {
	to_the_server
	not input.call.content.mcp.kind == "response"
	not method_listed
}

method_listed if data.methods[input.call.content.mcp.method]

deny contains "tool_not_listed" if {
	input.call.content.mcp.method == "tools/call"
	not tool_listed
}

tool_listed if data.tools[input.call.content.mcp.tool]

deny contains "outside_the_workspace" if {
	data.tools[input.call.content.mcp.tool].path
	not inside_the_workspace(input.call.content)
}

default inside_the_workspace(_) := false

inside_the_workspace(content) if {
	parts := split(content.mcp.arguments.path, "/")
	array.slice(parts, 0, 2) == ["", "workspace"]
	every part in parts {
		part != ".."
	}
}
