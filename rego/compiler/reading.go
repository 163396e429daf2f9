package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// contentRef is where an author reads the body.
var contentRef = ast.MustParseRef("input.call.content")

// read judges one reference: what of the body it may see, and whether the data
// that it names exists.
func (a *analysis) read(term *ast.Term, ref ast.Ref, s *scope) {
	a.touch(a.expanded(ref, s), s)
	if ref.HasPrefix(ast.DefaultRootRef) {
		if missing := a.missing(ref); missing != nil {
			message := fmt.Sprintf("%s is defined by no rule and no data file: it would never hold", missing)
			a.report(term.Location, "data_unknown", message)
		}
	}
}

// expanded replaces a variable at the head of a reference by what it stands for.
func (a *analysis) expanded(ref ast.Ref, s *scope) ast.Ref {
	head, isVar := ref[0].Value.(ast.Var)
	if !isVar || s.bound[head] == nil {
		return ref
	}
	if alias, isRef := s.bound[head].Value.(ast.Ref); isRef {
		return a.expanded(alias.Concat(ref[1:]), s)
	}
	return ref
}

// touch notes that a value is used whole; a reference that stops above the body,
// or iterates, may see it.
func (a *analysis) touch(value ast.Value, s *scope) {
	ref, isRef := value.(ast.Ref)
	if !isRef {
		if name, isVar := value.(ast.Var); isVar && s.bound[name] != nil {
			a.touch(s.bound[name].Value, s)
		}
		return
	}
	if ref = a.expanded(ref, s); ref.HasPrefix(ast.InputRootRef) {
		a.see(ref)
	}
}

// see notes which members of the content a reference may see: one that it names,
// or all of them. The state alone tells nothing of the body.
func (a *analysis) see(ref ast.Ref) {
	for i, part := range contentRef[:min(len(ref), len(contentRef))] {
		if ast.IsConstant(ref[i].Value) && !ref[i].Equal(part) {
			return
		}
	}
	if len(ref) > len(contentRef) && ast.IsConstant(ref[len(contentRef)].Value) {
		if name, isString := ref[len(contentRef)].Value.(ast.String); isString && name != "state" {
			a.content[string(name)] = true
		}
		return
	}
	for _, name := range a.contentMembers() {
		a.content[name] = true
	}
}

// contentMembers are those that the schema knows, without the state.
func (a *analysis) contentMembers() []string {
	at, _ := a.schema.(map[string]any)
	for _, part := range contentRef[1:] {
		properties, _ := at["properties"].(map[string]any)
		at, _ = properties[string(part.Value.(ast.String))].(map[string]any)
	}
	properties, _ := at["properties"].(map[string]any)
	names := []string{"json"}
	for name := range properties {
		if name != "state" {
			names = append(names, name)
		}
	}
	return names
}

// handsOn says whether an operand is the whole content, given to a function that
// takes it by a name: what is read of it shows inside.
func (a *analysis) handsOn(path string, i int, operand *ast.Term, s *scope) bool {
	if !a.isContent(operand.Value, s) {
		return false
	}
	rules := a.rules[path]
	for _, rule := range rules {
		for branch := rule; branch != nil; branch = branch.Else {
			if _, isVar := branch.Head.Args[i].Value.(ast.Var); !isVar {
				return false
			}
		}
	}
	if key := parameterKey(path, i); len(rules) > 0 && !a.handed[key] {
		a.handed[key], a.changed = true, true
	}
	return len(rules) > 0
}

func (a *analysis) isContent(value ast.Value, s *scope) bool {
	if name, isVar := value.(ast.Var); isVar && s.bound[name] != nil {
		return a.isContent(s.bound[name].Value, s)
	}
	ref, isRef := value.(ast.Ref)
	return isRef && a.expanded(ref, s).Equal(contentRef)
}

func parameterKey(path string, i int) string { return fmt.Sprintf("%s %d", path, i) }

// missing is the shortest part of a data reference that nothing defines.
func (a *analysis) missing(ref ast.Ref) ast.Ref {
	rules, document := a.compiler.RuleTree.Child(ast.DefaultRootDocument.Value), any(a.source.Data)
	for i, operand := range ref[1:] {
		if _, isList := document.([]any); isList || !ast.IsConstant(operand.Value) {
			return nil
		}
		if rules != nil {
			rules = rules.Child(operand.Value)
		}
		document = member(document, operand)
		if rules == nil && document == nil {
			return ref[:i+2]
		}
		if rules != nil && len(rules.Values) > 0 {
			return nil
		}
	}
	return nil
}

func member(document any, operand *ast.Term) any {
	object, isObject := document.(map[string]any)
	name, isString := operand.Value.(ast.String)
	if !isObject || !isString {
		return nil
	}
	if value, exists := object[string(name)]; exists && value == nil {
		return struct{}{}
	}
	return object[string(name)]
}
