package main

import (
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// scope is what is known of the variables of one body.
type scope struct {
	types map[ast.Var]types.Type
	// bound holds the term that a variable stands for, where there is one.
	bound map[ast.Var]*ast.Term
	// lifted holds, for a variable that OPA made of a nested call, the operand that
	// may be missing: a not around that call does not see it.
	lifted map[ast.Var]*ast.Term
	// present holds the references that the body asks for anyway: where one of them
	// is missing, the author meant the rule not to hold.
	present map[string]bool
	// guarded: the body belongs to a function or rule with a default, and a call
	// that fails here leads to that default.
	guarded bool
	// denies: the body is that of a deny rule.
	denies bool
}

func (s *scope) inner(guarded bool) *scope {
	return &scope{
		types: maps.Clone(s.types), bound: maps.Clone(s.bound), lifted: maps.Clone(s.lifted),
		present: maps.Clone(s.present), guarded: guarded, denies: s.denies,
	}
}

func newScope(guarded bool) *scope {
	return &scope{
		types: map[ast.Var]types.Type{}, bound: map[ast.Var]*ast.Term{}, lifted: map[ast.Var]*ast.Term{},
		present: map[string]bool{}, guarded: guarded,
	}
}

func (s *scope) bind(name ast.Var, tpe types.Type, term *ast.Term) {
	s.types[name] = tpe
	if term != nil {
		s.bound[name] = term
	}
}

func (s *scope) knows(name ast.Var) bool {
	_, known := s.types[name]
	return known
}

// rule walks a rule and its else branches, and answers the scope of the first.
func (a *analysis) rule(rule *ast.Rule) *scope {
	path := rule.Ref().GroundPrefix().String()
	outer := newScope(a.defaults[path])
	outer.denies = path == "data.policy.deny"
	for i, argument := range rule.Head.Args {
		a.destructure(argument, a.parameter(path, i), outer)
		if name, isVar := argument.Value.(ast.Var); isVar && a.handed[parameterKey(path, i)] {
			outer.bind(name, a.parameter(path, i), ast.NewTerm(contentRef))
		}
	}
	a.body(rule.Body, outer)
	for _, term := range []*ast.Term{rule.Head.Key, rule.Head.Value} {
		a.term(term, outer)
	}
	a.unreasoned(rule, outer)
	if rule.Else != nil {
		a.rule(rule.Else)
	}
	return outer
}

func (a *analysis) body(body ast.Body, s *scope) {
	a.demand(body, s)
	for _, expr := range body {
		a.expr(expr, s)
	}
}

func (a *analysis) expr(expr *ast.Expr, s *scope) {
	if len(expr.With) > 0 {
		a.report(expr.Location, "with_outside_test", "with replaces input or data: it belongs into tests")
	}
	if expr.Negated {
		a.negated(expr, s)
		s = s.inner(false)
	}
	switch terms := expr.Terms.(type) {
	case *ast.Every:
		a.every(terms, s)
	case *ast.Term:
		a.term(terms, s)
	case []*ast.Term:
		a.call(expr, terms, s)
	}
}

func (a *analysis) every(every *ast.Every, s *scope) {
	a.term(every.Domain, s)
	domain := a.typeOf(every.Domain, s)
	inner := s.inner(s.guarded)
	if every.Key != nil {
		a.destructure(every.Key, keys(domain), inner)
	}
	a.destructure(every.Value, elements(domain), inner)
	a.body(every.Body, inner)
}

// term walks what is nested in a term: comprehensions, and what it reads.
func (a *analysis) term(term *ast.Term, s *scope) {
	if term == nil {
		return
	}
	switch value := term.Value.(type) {
	case *ast.ArrayComprehension:
		a.comprehension(value.Body, s, value.Term)
	case *ast.SetComprehension:
		a.comprehension(value.Body, s, value.Term)
	case *ast.ObjectComprehension:
		a.comprehension(value.Body, s, value.Key, value.Value)
	case *ast.Array:
		value.Foreach(func(item *ast.Term) { a.term(item, s) })
	case ast.Set:
		value.Foreach(func(item *ast.Term) { a.term(item, s) })
	case ast.Object:
		value.Foreach(func(key, item *ast.Term) {
			a.term(key, s)
			a.term(item, s)
		})
	case ast.Ref:
		a.read(term, value, s)
		for _, operand := range value[1:] {
			a.term(operand, s)
		}
	case ast.Var:
		if alias, isAlias := s.bound[value]; isAlias {
			a.touch(alias.Value, s)
		}
	}
}

// comprehension: what fails inside is left out of the result, so that no default
// of the rule around it is reached.
func (a *analysis) comprehension(body ast.Body, s *scope, heads ...*ast.Term) {
	inner := s.inner(false)
	a.body(body, inner)
	for _, head := range heads {
		a.term(head, inner)
	}
}

func (a *analysis) call(expr *ast.Expr, terms []*ast.Term, s *scope) {
	operator, arguments := terms[0].Value.(ast.Ref), terms[1:]
	if ast.Equality.Ref().Equal(operator) || ast.Assign.Ref().Equal(operator) {
		a.unify(expr, arguments[0], arguments[1], s)
		return
	}
	for i, argument := range arguments {
		if i >= a.arity(operator) || !a.handsOn(operator.String(), i, argument, s) {
			a.term(argument, s)
		}
	}
	a.lift(expr, arguments, s)
	if builtin, isBuiltin := a.builtins[operator.String()]; isBuiltin {
		a.builtin(expr, builtin, arguments, s)
		return
	}
	a.function(expr, operator, arguments, s)
}

func (a *analysis) builtin(expr *ast.Expr, builtin *ast.Builtin, arguments []*ast.Term, s *scope) {
	arity := builtin.Decl.Arity()
	if len(arguments) > arity {
		a.destructure(arguments[arity], a.resultType(builtin, arguments, s), s)
		arguments = arguments[:arity]
	}
	if builtin.Name == ast.NotEqual.Name && !expr.Negated {
		a.unequal(expr, arguments, s)
	}
	if why := a.failure(builtin, arguments, s); why != "" && !s.guarded {
		a.report(expr.Location, "builtin_can_fail", why+
			"; then this rule is undefined, and what does not deny lets the call pass."+
			"\nPut it into a function of its own that has a default: default name(_) := …")
	}
	if why := a.never(builtin, arguments, s); why != "" {
		a.report(expr.Location, "never_equal", why)
	}
}

// arity is the number of parameters of an author's function, 0 for anything else.
func (a *analysis) arity(operator ast.Ref) int {
	if rules := a.rules[operator.String()]; len(rules) > 0 {
		return len(rules[0].Head.Args)
	}
	return 0
}

func (a *analysis) function(expr *ast.Expr, operator ast.Ref, arguments []*ast.Term, s *scope) {
	path := operator.String()
	rules := a.rules[path]
	if len(rules) == 0 {
		return
	}
	arity := len(rules[0].Head.Args)
	a.defaulted(expr, path, arguments[:min(arity, len(arguments))], s)
	for i := range min(arity, len(arguments)) {
		a.pass(path, i, a.typeOf(arguments[i], s))
	}
	if len(arguments) > arity {
		a.destructure(arguments[arity], a.ruleType(path), s)
	}
}

// parameter is the union of what a function's i-th parameter was called with.
func (a *analysis) parameter(path string, i int) types.Type {
	if known := a.parameters[path]; i < len(known) && known[i] != nil {
		return known[i]
	}
	return types.A
}

func (a *analysis) pass(path string, i int, tpe types.Type) {
	for len(a.parameters[path]) <= i {
		a.parameters[path] = append(a.parameters[path], nil)
	}
	known := a.parameters[path][i]
	joined := types.Or(known, tpe)
	if known == nil || types.Compare(known, joined) != 0 {
		a.parameters[path][i] = joined
		a.changed = true
	}
}
