package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gobwas/glob"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// total builtins always have a value, given operands of their declared types.
var total = []string{
	"abs", "and", "array.concat", "array.flatten", "array.reverse", "base64.encode", "base64.is_valid",
	"base64url.encode", "ceil", "concat", "contains", "count", "endswith", "equal", "floor", "graph.reachable",
	"gt", "gte", "internal.member_2", "internal.member_3", "internal.template_string", "intersection",
	"is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.is_valid", "json.marshal", "lower", "lt", "lte", "mul", "neq",
	"object.filter", "object.get", "object.keys", "object.remove", "object.union", "object.union_n",
	"or", "plus", "print", "internal.print", "product", "regex.is_valid", "replace", "round", "sort", "split",
	"sprintf", "startswith", "strings.replace_n", "strings.reverse", "sum",
	"trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix", "type_name",
	"union", "upper", "walk", "yaml.is_valid", "yaml.marshal",
}

// written says whether a builtin has a value because some operand is written out
// and good. What neither this nor total names can fail.
func (a *analysis) written(name string, operands []*ast.Term, s *scope) bool {
	switch name {
	case "array.slice":
		return wholes(s, operands[1:]...)
	case "div":
		return notZero(s, operands[1])
	case "format_int":
		return oneOf(s, operands[1], 2, 8, 10, 16)
	case "glob.match":
		return goodGlob(s, operands[0], operands[1])
	case "indexof":
		return notEmpty(s, operands[1])
	case "minus":
		return a.alike(operands, s)
	case "numbers.range":
		return wholes(s, operands...)
	case "rem":
		return notZero(s, operands[1]) && ofInput(s, operands[0])
	case "regex.match", "regex.split":
		return goodPattern(s, operands[0])
	case "regex.find_all_string_submatch_n":
		return goodPattern(s, operands[0]) && wholes(s, operands[2])
	case "substring":
		return wholes(s, operands[1:]...) && !negative(s, operands[1])
	default:
		return false
	}
}

// failure says why a call may have no value, or nothing where it always has one.
func (a *analysis) failure(builtin *ast.Builtin, arguments []*ast.Term, s *scope) string {
	for i, declared := range builtin.Decl.FuncArgs().Args {
		if i < len(arguments) && !within(a.typeOf(arguments[i], s), declared) {
			return fmt.Sprintf("%s fails where its operand %s is not %s", builtin.Name, shown(arguments[i], s), wanted(declared))
		}
	}
	if slices.Contains(total, builtin.Name) || a.written(builtin.Name, arguments, s) {
		return ""
	}
	return builtin.Name + " can fail"
}

// never says why a comparison or membership cannot hold.
func (a *analysis) never(builtin *ast.Builtin, arguments []*ast.Term, s *scope) string {
	switch builtin.Name {
	case "equal", "neq", "lt", "lte", "gt", "gte":
		left, right := a.typeOf(arguments[0], s), a.typeOf(arguments[1], s)
		if !overlap(left, right) {
			return fmt.Sprintf("this compares %s with %s", kind(left), kind(right))
		}
	case "internal.member_2":
		item, collection := a.typeOf(arguments[0], s), a.typeOf(arguments[1], s)
		if !isAny(collection) && !overlap(item, elements(collection)) {
			return fmt.Sprintf("this never holds: the collection's members are %s, not %s", kind(elements(collection)), kind(item))
		}
	}
	return ""
}

// shown writes an operand as the author did, where a variable of OPA's stands for it.
func shown(term *ast.Term, s *scope) string {
	if term.Location != nil && len(term.Location.Text) > 0 {
		return string(term.Location.Text)
	}
	return meant(s, term).String()
}

func wanted(declared types.Type) string {
	if named, isNamed := declared.(*types.NamedType); isNamed {
		return wanted(named.Type)
	}
	if union, isUnion := declared.(types.Any); isUnion && len(union) > 0 {
		texts := make([]string, 0, len(union))
		for _, member := range union {
			texts = append(texts, wanted(member))
		}
		return strings.Join(texts, " or ")
	}
	if collection := kind(declared); collection == "an array" || collection == "a set" {
		if of := elements(declared); !isAny(of) {
			return collection + " whose members are each " + kind(of)
		}
	}
	return kind(declared)
}

// meant is what a variable was assigned, or the term itself.
func meant(s *scope, term *ast.Term) *ast.Term {
	if name, isVar := term.Value.(ast.Var); isVar && s.bound[name] != nil {
		return meant(s, s.bound[name])
	}
	return term
}

func text(s *scope, term *ast.Term) (string, bool) {
	value, isString := meant(s, term).Value.(ast.String)
	return string(value), isString
}

func whole(s *scope, term *ast.Term) (int64, bool) {
	value, isNumber := meant(s, term).Value.(ast.Number)
	number, err := strconv.ParseInt(string(value), 10, 64)
	return number, isNumber && err == nil
}

func wholes(s *scope, terms ...*ast.Term) bool {
	return !slices.ContainsFunc(terms, func(term *ast.Term) bool {
		_, isWhole := whole(s, term)
		return !isWhole
	})
}

func negative(s *scope, term *ast.Term) bool {
	number, _ := whole(s, term)
	return number < 0
}

func notZero(s *scope, term *ast.Term) bool {
	number, isWhole := whole(s, term)
	return isWhole && number != 0
}

// ofInput: every number of the input document is whole, which rem asks for.
func ofInput(s *scope, term *ast.Term) bool {
	ref, isRef := meant(s, term).Value.(ast.Ref)
	return isRef && ref.HasPrefix(ast.InputRootRef)
}

func oneOf(s *scope, term *ast.Term, allowed ...int64) bool {
	number, isWhole := whole(s, term)
	return isWhole && slices.Contains(allowed, number)
}

func notEmpty(s *scope, term *ast.Term) bool {
	value, isString := text(s, term)
	return isString && value != ""
}

func goodPattern(s *scope, term *ast.Term) bool {
	value, isString := text(s, term)
	if !isString {
		return false
	}
	_, err := regexp.Compile(value)
	return err == nil
}

func goodGlob(s *scope, pattern, delimiters *ast.Term) bool {
	value, isString := text(s, pattern)
	if !isString || !ast.IsConstant(meant(s, delimiters).Value) {
		return false
	}
	_, err := glob.Compile(value)
	return err == nil
}

// alike: minus takes two numbers or two sets, which its declaration cannot say.
func (a *analysis) alike(arguments []*ast.Term, s *scope) bool {
	left, right := a.typeOf(arguments[0], s), a.typeOf(arguments[1], s)
	return kind(left) == kind(right) && kind(left) != "of any type"
}
