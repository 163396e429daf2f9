package policy_test

import data.policy
import data.writ
import data.writ.sample

ask(json) := sample.of({"call": {
	"host": "api.openai.com",
	"method": "POST",
	"segments": ["v1", "responses"],
	"content": {"state": "parsed", "json": json},
}})

test_a_listed_model_within_its_limit_passes if {
	writ.decision.allow with input as ask({"model": "gpt-5-mini-latest", "max_tokens": 16000})
}

test_a_model_that_is_not_listed_is_refused if {
	policy.deny == {"model_not_listed"} with input as ask({"model": "o9", "max_tokens": 1})
}

test_too_many_tokens_are_refused if {
	policy.deny == {"too_many_tokens"} with input as ask({"model": "gpt-5", "max_tokens": 4001})
}

test_no_figure_is_too_many if {
	every figure in ["1", null, true, [1], {}] {
		policy.deny == {"too_many_tokens"} with input as ask({"model": "gpt-5", "max_tokens": figure})
	}
	policy.deny == {"too_many_tokens"} with input as ask({"model": "gpt-5"})
}

test_a_body_of_any_other_shape_is_refused if {
	every json in [null, 1, "gpt-5", ["gpt-5"], {"model": ["gpt-5"]}, {"model": {"gpt-5": 1}}] {
		"model_not_listed" in policy.deny with input as ask(json)
	}
}

test_no_body_is_refused if {
	bare := object.remove(ask(null).call, ["content"])
	without := {"call": object.union(bare, {"content": {"state": "none"}})}
	"model_not_listed" in policy.deny with input as sample.of(without)
}

test_a_body_that_was_not_read_is_refused if {
	decision := writ.decision with input as sample.of({"call": {"content": {"state": "unread"}}})
	"content_unread" in decision.reasons
}

test_other_calls_are_not_asked if {
	policy.deny == set() with input as sample.call
}
