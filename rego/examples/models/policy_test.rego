package policy_test

import data.policy
import data.writ
import data.writ.sample

question := {
	"provider": "openai",
	"operation": "chat",
	"model": "gpt-5",
	"stream": false,
	"max_tokens": 4000,
	"tools": ["search_docs"],
}

post(content) := sample.of({"call": {"host": "api.openai.com", "method": "POST", "content": content}})

ask(changes) := post({"state": "parsed", "kind": "llm", "llm": object.union(question, changes)})

without(member) := post({"state": "parsed", "kind": "llm", "llm": object.remove(question, [member])})

test_a_listed_model_within_its_limit_passes if {
	writ.decision.allow with input as ask({})
}

test_a_model_that_is_not_listed_is_refused if {
	"model_not_listed" in policy.deny with input as ask({"model": "o9"})
	"model_not_listed" in policy.deny with input as without("model")
}

test_too_many_tokens_are_refused if {
	policy.deny == {"too_many_tokens"} with input as ask({"max_tokens": 4001})
}

test_no_limit_is_too_many if {
	policy.deny == {"too_many_tokens"} with input as without("max_tokens")
}

test_a_tool_that_is_not_listed_is_refused if {
	policy.deny == {"tool_not_listed"} with input as ask({"tools": ["search_docs", "web_search"]})
}

test_tools_that_nobody_sees_are_refused if {
	policy.deny == {"tool_not_listed"} with input as ask({"tools": ["search_docs", "prompt:*"]})
}

test_whatever_is_no_question_is_refused if {
	"not_a_question" in policy.deny with input as post({"state": "parsed", "kind": "json"})
	"not_a_question" in policy.deny with input as post({"state": "none"})
}

test_a_body_that_was_not_read_is_refused if {
	decision := writ.decision with input as sample.of({"call": {"content": {"state": "unread"}}})
	"content_unread" in decision.reasons
}

test_other_calls_are_not_asked if {
	policy.deny == set() with input as sample.call
}
