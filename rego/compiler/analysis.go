package main

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
)

// analysis looks for what would fail open. WASM has no strict mode: a builtin
// that fails makes its rule undefined, and an undefined deny denies nothing.
//
// It walks every rule that an answer depends on, and knows the types of input,
// data, rules and variables well enough to say which calls cannot fail.
type analysis struct {
	source   *Source
	compiler *ast.Compiler
	builtins map[string]*ast.Builtin
	rules    map[string][]*ast.Rule
	defaults map[string]bool
	schema   any
	input    types.Type
	// parameters holds what each function is called with, by its path.
	parameters map[string][]types.Type
	values     map[string]types.Type
	changed    bool
	silent     int
	// content holds the members of input.call.content that are read, handed the
	// functions' parameters that are given all of it.
	content map[string]bool
	handed  map[string]bool
	faults  []Fault
}

func analyse(request Request, source *Source, compiler *ast.Compiler) (*analysis, error) {
	schema, err := schemaOf(request.Schema)
	if err != nil {
		return nil, err
	}
	a := &analysis{
		source: source, compiler: compiler, schema: schema, input: schemaType(schema),
		builtins: map[string]*ast.Builtin{}, rules: map[string][]*ast.Rule{}, defaults: map[string]bool{},
		parameters: map[string][]types.Type{}, values: map[string]types.Type{},
		content: map[string]bool{}, handed: map[string]bool{},
	}
	for _, builtin := range capabilities(request.Builtins).Builtins {
		a.builtins[builtin.Name] = builtin
	}
	a.index()
	a.run(a.reachable())
	return a, nil
}

func schemaOf(text json.RawMessage) (any, error) {
	if len(text) == 0 {
		return nil, nil
	}
	var schema any
	err := util.Unmarshal(text, &schema)
	return schema, err
}

func (a *analysis) index() {
	for _, module := range a.compiler.Modules {
		for _, rule := range module.Rules {
			path := rule.Ref().GroundPrefix().String()
			a.rules[path] = append(a.rules[path], rule)
			a.defaults[path] = a.defaults[path] || rule.Default
		}
	}
}

// reachable are the authors' rules that deny, allow or obligation depend on.
func (a *analysis) reachable() []*ast.Rule {
	var queue, found []*ast.Rule
	for _, answer := range answers {
		queue = append(queue, a.rules[policyPackage.Append(ast.StringTerm(answer)).String()]...)
	}
	seen := map[*ast.Rule]bool{}
	for len(queue) > 0 {
		rule := queue[0]
		queue = queue[1:]
		if seen[rule] {
			continue
		}
		seen[rule] = true
		found = append(found, rule)
		for branch := rule; branch != nil; branch = branch.Else {
			for dependency := range a.compiler.Graph.Dependencies(branch) {
				queue = append(queue, dependency.(*ast.Rule))
			}
		}
	}
	return heads(found)
}

// heads drops else branches, which their rule's walk covers.
func heads(rules []*ast.Rule) []*ast.Rule {
	branches := map[*ast.Rule]bool{}
	for _, rule := range rules {
		for branch := rule.Else; branch != nil; branch = branch.Else {
			branches[branch] = true
		}
	}
	var kept []*ast.Rule
	for _, rule := range rules {
		if !branches[rule] {
			kept = append(kept, rule)
		}
	}
	return kept
}

// run walks silently until the parameters' types no longer grow (Rego forbids
// recursion, so they stop), then once more to report.
func (a *analysis) run(rules []*ast.Rule) {
	a.silent = 1
	for a.changed = true; a.changed; {
		a.changed = false
		a.values = map[string]types.Type{}
		for _, rule := range rules {
			a.rule(rule)
		}
	}
	a.silent = 0
	for _, rule := range rules {
		a.rule(rule)
	}
}

func (a *analysis) report(location *ast.Location, code, message string) {
	if a.silent > 0 {
		return
	}
	fault := faultAt(location, code, message)
	for _, known := range a.faults {
		if known == fault {
			return
		}
	}
	a.faults = append(a.faults, fault)
}
