package main

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A call whose operand is undefined is itself undefined: no default is reached,
// and no not sees it. This file finds the two places where that surprises.

// demand notes what a body states outright: it holds only where that exists.
func (a *analysis) demand(body ast.Body, s *scope) {
	taken := map[ast.Var]ast.Ref{}
	for _, expr := range body {
		if variable, ref := takenOut(expr); ref != nil {
			taken[variable] = ref
		} else if !expr.Negated && !expr.Generated {
			for _, operand := range a.demandedBy(expr) {
				note(operand, taken, s)
			}
		}
	}
}

// takenOut recognises what OPA made of an operand: a variable, bound before.
func takenOut(expr *ast.Expr) (ast.Var, ast.Ref) {
	if !expr.Generated || !expr.IsEquality() {
		return "", nil
	}
	for i, operand := range expr.Operands() {
		variable, isVar := operand.Value.(ast.Var)
		ref, isRef := expr.Operand(1 - i).Value.(ast.Ref)
		if isVar && isRef {
			return variable, ref
		}
	}
	return "", nil
}

// demandedBy: != and calls of functions are what this file judges, so that they
// are no proof that their operands exist.
func (a *analysis) demandedBy(expr *ast.Expr) []*ast.Term {
	if term, isTerm := expr.Terms.(*ast.Term); isTerm {
		return []*ast.Term{term}
	}
	if !expr.IsCall() || expr.Operator().Equal(ast.NotEqual.Ref()) || a.builtins[expr.Operator().String()] == nil {
		return nil
	}
	return expr.Operands()
}

func note(operand *ast.Term, taken map[ast.Var]ast.Ref, s *scope) {
	switch value := operand.Value.(type) {
	case ast.Ref:
		s.present[value.String()] = true
	case ast.Var:
		if ref, isTaken := taken[value]; isTaken && !value.IsWildcard() {
			s.present[ref.String()] = true
		}
	}
}

// defaulted: the author gave this function a default, and means it to apply
// always. It does not where an operand is missing.
func (a *analysis) defaulted(expr *ast.Expr, path string, operands []*ast.Term, s *scope) {
	if !a.defaults[path] || s.guarded {
		return
	}
	for _, operand := range operands {
		if missing := a.mayMiss(operand, s); missing != nil {
			a.report(expr.Location, "default_unreached", fmt.Sprintf(
				"%s may be missing; then nothing is called, and the default of %s does not apply"+
					"\nPass what holds it, and let the function take it out", missing, name(ast.MustParseRef(path))))
		}
	}
}

// lift notes what OPA takes out of an expression and evaluates before it: nested
// calls, and the operands of every call but a comparison with ==. The last of
// arguments is the variable that stands for it from then on.
func (a *analysis) lift(expr *ast.Expr, arguments []*ast.Term, s *scope) {
	result, isVar := arguments[len(arguments)-1].Value.(ast.Var)
	if !expr.Generated || !isVar {
		return
	}
	for _, operand := range arguments[:len(arguments)-1] {
		if missing := a.mayMiss(operand, s); missing != nil {
			s.lifted[result] = missing
		}
		if inner, isVar := operand.Value.(ast.Var); isVar && s.lifted[inner] != nil {
			s.lifted[result] = s.lifted[inner]
		}
	}
}

// negated: what was taken out of a not is looked up outside of it, and where that
// is undefined the whole body is, instead of the not being true.
func (a *analysis) negated(expr *ast.Expr, s *scope) {
	ast.WalkVars(expr, func(variable ast.Var) bool {
		if missing := s.lifted[variable]; missing != nil && !s.guarded {
			a.report(expr.Location, "not_unreached", fmt.Sprintf(
				"%s may be missing; then this rule is undefined, and not does not turn that into true"+
					"\nPut the condition into a rule of its own, and write not in front of its name", missing))
		}
		return false
	})
}

// unequal: in a deny, != on something missing is undefined, and does not deny.
func (a *analysis) unequal(expr *ast.Expr, operands []*ast.Term, s *scope) {
	for _, operand := range operands {
		if missing := a.mayMiss(operand, s); missing != nil && s.denies {
			a.report(expr.Location, "missing_passes", fmt.Sprintf(
				"%s may be missing; then != is undefined, and this does not deny\nWrite not … == … instead", missing))
		}
	}
}

// mayMiss is the part of input or data that an operand stands for, where it need
// not exist.
func (a *analysis) mayMiss(operand *ast.Term, s *scope) *ast.Term {
	ref, isRef := meant(s, operand).Value.(ast.Ref)
	if !isRef {
		return nil
	}
	ref = a.expanded(ref, s)
	switch {
	case s.present[ref.String()]:
		return nil
	case !ref.IsGround():
		return lookup(ref, s)
	case ref.HasPrefix(ast.InputRootRef):
		if required(a.schema, ref[1:]) {
			return nil
		}
	case ref.HasPrefix(ast.DefaultRootRef):
		if a.always(ref) {
			return nil
		}
	default:
		return nil
	}
	return ast.NewTerm(ref)
}

// lookup is a reference by keys that are known by then, which may not be there; one
// with a free variable iterates over what there is, and is nil.
func lookup(ref ast.Ref, s *scope) *ast.Term {
	written := ref.Copy()
	for i, operand := range written[1:] {
		if variable, isVar := operand.Value.(ast.Var); isVar && s.bound[variable] == nil {
			return nil
		}
		written[i+1] = meant(s, operand)
	}
	return ast.NewTerm(written)
}

// unreasoned: a deny whose reason is looked up and not found does not deny.
func (a *analysis) unreasoned(rule *ast.Rule, s *scope) {
	if !s.denies || rule.Head.Key == nil {
		return
	}
	if missing := a.mayMiss(rule.Head.Key, s); missing != nil {
		a.report(rule.Head.Location, "missing_passes", fmt.Sprintf(
			"%s may be missing; then there is no reason, and this does not deny\nWrite object.get(…, …, \"other\") instead", missing))
	}
}

// required says whether the schema promises a path.
func required(schema any, path ast.Ref) bool {
	for _, operand := range path {
		object, _ := schema.(map[string]any)
		names, _ := object["required"].([]any)
		key, _ := operand.Value.(ast.String)
		if !slices.Contains(names, any(string(key))) {
			return false
		}
		properties, _ := object["properties"].(map[string]any)
		schema = properties[string(key)]
	}
	return true
}

// always says whether data has a value at a path whatever the input is.
func (a *analysis) always(ref ast.Ref) bool {
	for end := len(ref); end > 1; end-- {
		path := ref[:end].String()
		if rules := a.rules[path]; len(rules) > 0 {
			isSet := rules[0].Head.Key != nil && rules[0].Head.Value == nil
			return end == len(ref) && (a.defaults[path] || isSet)
		}
	}
	document := any(a.source.Data)
	for _, operand := range ref[1:] {
		document = member(document, operand)
	}
	return document != nil
}
