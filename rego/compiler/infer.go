package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// typeOf is the type of a term, types.A where nothing is known.
func (a *analysis) typeOf(term *ast.Term, s *scope) types.Type {
	switch value := term.Value.(type) {
	case ast.Var:
		if tpe, known := s.types[value]; known {
			return tpe
		}
		return a.rootType(value)
	case ast.Ref:
		return a.refType(value, s)
	case *ast.Array:
		static := make([]types.Type, value.Len())
		for i := range static {
			static[i] = a.typeOf(value.Elem(i), s)
		}
		return types.NewArray(static, nil)
	case ast.Set:
		var of types.Type
		value.Foreach(func(item *ast.Term) { of = types.Or(of, a.typeOf(item, s)) })
		return types.NewSet(of)
	case ast.Object:
		return a.objectType(value, s)
	case *ast.ArrayComprehension:
		return types.NewArray(nil, a.comprehensionType(value.Body, value.Term, s))
	case *ast.SetComprehension:
		return types.NewSet(a.comprehensionType(value.Body, value.Term, s))
	case *ast.ObjectComprehension:
		key, item := a.comprehensionType(value.Body, value.Key, s), a.comprehensionType(value.Body, value.Value, s)
		return types.NewObject(nil, types.NewDynamicProperty(key, item))
	default:
		return orAny(a.compiler.TypeEnv.GetByValue(term.Value))
	}
}

func (a *analysis) rootType(root ast.Var) types.Type {
	if root.Equal(ast.InputRootDocument.Value) {
		return a.input
	}
	return types.A
}

func (a *analysis) objectType(object ast.Object, s *scope) types.Type {
	var static []*types.StaticProperty
	var dynamic *types.DynamicProperty
	object.Foreach(func(key, item *ast.Term) {
		if name, isString := key.Value.(ast.String); isString {
			static = append(static, types.NewStaticProperty(string(name), a.typeOf(item, s)))
			return
		}
		dynamic = types.NewDynamicProperty(types.A, types.A)
	})
	return types.NewObject(static, dynamic)
}

func (a *analysis) comprehensionType(body ast.Body, head *ast.Term, s *scope) types.Type {
	a.silent++
	defer func() { a.silent-- }()
	inner := s.inner(false)
	a.body(body, inner)
	return a.typeOf(head, inner)
}

// refType also binds the variables that a reference iterates over.
func (a *analysis) refType(ref ast.Ref, s *scope) types.Type {
	head, isVar := ref[0].Value.(ast.Var)
	if !isVar {
		return a.along(a.typeOf(ref[0], s), ref[1:], s)
	}
	if head.Equal(ast.DefaultRootDocument.Value) {
		return a.dataType(ref, s)
	}
	return a.along(a.typeOf(ref[0], s), ref[1:], s)
}

func (a *analysis) along(tpe types.Type, path ast.Ref, s *scope) types.Type {
	for _, operand := range path {
		if name, isVar := operand.Value.(ast.Var); isVar && !s.knows(name) {
			s.bind(name, keys(tpe), nil)
		}
		tpe = step(tpe, operand)
	}
	return tpe
}

// dataType follows a reference into rules first, then into data files.
func (a *analysis) dataType(ref ast.Ref, s *scope) types.Type {
	for end := len(ref.GroundPrefix()); end > 1; end-- {
		if path := ref[:end].String(); len(a.rules[path]) > 0 {
			return a.along(a.ruleType(path), ref[end:], s)
		}
	}
	return a.along(documentType(a.source.Data), ref[1:], s)
}

// ruleType is the type of what a rule, or a function under its known calls, yields.
func (a *analysis) ruleType(path string) types.Type {
	if known, done := a.values[path]; done {
		return orAny(known)
	}
	a.values[path] = types.A
	a.silent++
	defer func() { a.silent-- }()
	var result types.Type
	for _, rule := range a.rules[path] {
		for branch := rule; branch != nil; branch = branch.Else {
			result = types.Or(result, a.branchType(branch))
		}
	}
	a.values[path] = result
	return orAny(result)
}

func (a *analysis) branchType(rule *ast.Rule) types.Type {
	if len(rule.Ref()) > len(rule.Ref().GroundPrefix()) {
		return types.A
	}
	s := a.rule(rule)
	if rule.Head.Key != nil && rule.Head.Value == nil {
		return types.NewSet(a.typeOf(rule.Head.Key, s))
	}
	if rule.Head.Key != nil {
		return types.A
	}
	return a.typeOf(rule.Head.Value, s)
}

// resultType is what a builtin yields; for those that hand on what they were
// given, more exactly than their declarations can say.
func (a *analysis) resultType(builtin *ast.Builtin, operands []*ast.Term, s *scope) types.Type {
	switch builtin.Name {
	case "array.slice", "array.reverse":
		return types.NewArray(nil, elements(a.typeOf(operands[0], s)))
	case "array.concat":
		return types.NewArray(nil, types.Or(elements(a.typeOf(operands[0], s)), elements(a.typeOf(operands[1], s))))
	case "sort":
		return types.NewArray(nil, elements(a.typeOf(operands[0], s)))
	case "object.get":
		return a.fetched(operands, s)
	default:
		return orAny(builtin.Decl.Result())
	}
}

// fetched is the type of object.get: what is there, or its default.
func (a *analysis) fetched(operands []*ast.Term, s *scope) types.Type {
	found := a.typeOf(operands[0], s)
	path, isPath := operands[1].Value.(*ast.Array)
	if !isPath {
		return types.Or(step(found, operands[1]), a.typeOf(operands[2], s))
	}
	for i := range path.Len() {
		found = step(found, path.Elem(i))
	}
	return types.Or(found, a.typeOf(operands[2], s))
}

// unify is = and :=, which bind what is not yet known and compare the rest.
func (a *analysis) unify(expr *ast.Expr, left, right *ast.Term, s *scope) {
	if a.assign(left, right, s) || a.assign(right, left, s) {
		a.lift(expr, []*ast.Term{right, left}, s)
		return
	}
	a.term(left, s)
	a.term(right, s)
	l, r := a.typeOf(left, s), a.typeOf(right, s)
	a.destructure(left, r, s)
	a.destructure(right, l, s)
	if !overlap(l, r) {
		a.report(expr.Location, "never_equal", neverEqual(l, r))
	}
}

// assign gives a new variable its term. A mere alias of a part of input reads
// nothing yet: what is read shows where the alias is used.
func (a *analysis) assign(left, right *ast.Term, s *scope) bool {
	name, isVar := left.Value.(ast.Var)
	if !isVar || s.knows(name) || ast.RootDocumentNames.Contains(left) {
		return false
	}
	if ref, isRef := right.Value.(ast.Ref); !isRef || !ref.HasPrefix(ast.InputRootRef) || !ref.IsGround() {
		a.term(right, s)
	}
	s.bind(name, a.typeOf(right, s), right)
	return true
}

// destructure binds the unknown variables of a pattern to the parts of a type.
func (a *analysis) destructure(pattern *ast.Term, tpe types.Type, s *scope) {
	switch value := pattern.Value.(type) {
	case ast.Var:
		if !s.knows(value) && !ast.RootDocumentNames.Contains(pattern) {
			s.bind(value, orAny(tpe), nil)
		}
	case *ast.Array:
		for i := range value.Len() {
			a.destructure(value.Elem(i), step(tpe, ast.InternedTerm(i)), s)
		}
	case ast.Object:
		value.Foreach(func(key, item *ast.Term) { a.destructure(item, step(tpe, key), s) })
	}
}
