package policy_test

import data.policy
import data.writ
import data.writ.sample

post(content) := sample.of({"call": {"host": "mcp.example.com", "method": "POST", "content": content}})

send(message) := post({"state": "parsed", "kind": "mcp", "mcp": message})

tool(name, arguments) := send({
	"kind": "request",
	"id": 1,
	"method": "tools/call",
	"tool": name,
	"arguments": arguments,
})

test_a_listed_tool_passes if {
	writ.decision.allow with input as tool("search", {"query": "x"})
	writ.decision.allow with input as tool("read_file", {"path": "/workspace/a.txt"})
}

test_a_tool_that_is_not_listed_is_refused if {
	policy.deny == {"tool_not_listed"} with input as tool("delete_file", {})
}

test_a_path_elsewhere_is_refused if {
	every arguments in [{"path": "/etc/passwd"}, {"path": "/workspace/../etc"}, {"path": ["/workspace/"]}, {"path": 1}, {}] {
		policy.deny == {"outside_the_workspace"} with input as tool("read_file", arguments)
	}
}

test_a_session_can_begin if {
	every method in ["initialize", "notifications/initialized", "ping", "tools/list"] {
		writ.decision.allow with input as send({"kind": "request", "id": 1, "method": method})
	}
}

test_answers_pass if {
	writ.decision.allow with input as send({"kind": "response", "id": 1})
}

test_other_methods_are_refused if {
	policy.deny == {"method_not_listed"} with input as send({"kind": "request", "id": 1, "method": "resources/read"})
}

test_what_is_no_message_is_refused if {
	"not_a_message" in policy.deny with input as post({"state": "parsed", "kind": "json"})
	"not_a_message" in policy.deny with input as post({"state": "none"})
}

test_a_body_that_was_not_read_is_refused if {
	decision := writ.decision with input as post({"state": "unread"})
	"content_unread" in decision.reasons
}

test_listening_passes if {
	writ.decision.allow with input as sample.of({"call": {"host": "mcp.example.com"}})
}
