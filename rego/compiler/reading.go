package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// bodyPath is where an author reads the body.
var bodyPath = []ast.String{"call", "content", "json"}

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
	if ref = a.expanded(ref, s); ref.HasPrefix(ast.InputRootRef) && seesBody(ref[1:]) {
		a.content = true
	}
}

func seesBody(path ast.Ref) bool {
	for i, part := range bodyPath {
		if i >= len(path) {
			return true
		}
		if ast.IsConstant(path[i].Value) && path[i].Value.Compare(part) != 0 {
			return false
		}
	}
	return true
}

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
