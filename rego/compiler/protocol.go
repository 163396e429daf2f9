package main

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
)

// Request is the whole input of one run.
type Request struct {
	Verb string `json:"verb"`
	// Files maps the author's relative, slash-separated paths to text: *.rego,
	// data.json, data.yaml. The folder writ/ is not theirs.
	Files map[string]string `json:"files"`
	// Base are Writ's own, below writ/: exempt from the author rules.
	Base map[string]string `json:"base"`
	// Builtins names what the host registers beyond OPA's native WASM builtins.
	Builtins []string `json:"builtins"`
	// Schema is the JSON Schema of input; without it input is untyped.
	Schema json.RawMessage `json:"schema"`
	// Rules switches the author rules on (build and check).
	Rules bool `json:"rules"`
	// Entrypoints are slash paths such as writ/decision (build).
	Entrypoints []string `json:"entrypoints"`
	// Query, Input and Trace belong to eval.
	Query string          `json:"query"`
	Input json.RawMessage `json:"input"`
	Trace bool            `json:"trace"`
	// Run is a regular expression over test names, Coverage asks for line coverage (test).
	Run      string `json:"run"`
	Coverage bool   `json:"coverage"`
}

// Response is the whole output of one run; each verb fills its own members.
type Response struct {
	OK     bool    `json:"ok"`
	Faults []Fault `json:"faults,omitempty"`

	Wasm      []byte            `json:"wasm,omitempty"`
	Data      []byte            `json:"data,omitempty"`
	Generated map[string]string `json:"generated,omitempty"`
	Needs     *Needs            `json:"needs,omitempty"`

	Files map[string]string `json:"files,omitempty"`

	Tests    []TestResult  `json:"tests,omitempty"`
	Coverage *cover.Report `json:"coverage,omitempty"`

	Result  []json.RawMessage `json:"result,omitempty"`
	Defined bool              `json:"defined,omitempty"`
	Trace   string            `json:"trace,omitempty"`

	Capabilities *ast.Capabilities `json:"capabilities,omitempty"`
}

// Needs is what the engine must know of a policy before it evaluates it once.
type Needs struct {
	// Allow: the author defined allow, so it must be true.
	Allow bool `json:"allow"`
	// Content: the members of input.call.content that a rule may read, sorted. Where
	// there are any, the body must be read.
	Content []string `json:"content"`
}

// Fault is one thing that is wrong with the policy; line and column count from 1,
// and 0 says that the fault belongs to the folder rather than to a place in it.
type Fault struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Length  int    `json:"length"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// TestResult is one test rule's outcome: pass, fail, error or skip.
type TestResult struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Package    string `json:"package"`
	Name       string `json:"name"`
	Outcome    string `json:"outcome"`
	Message    string `json:"message,omitempty"`
	Output     string `json:"output,omitempty"`
	DurationNS int64  `json:"duration_ns"`
}
