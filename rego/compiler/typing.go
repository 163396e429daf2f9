package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// schemaType reads our own input schema. OPA's reader knows closed objects only;
// this one also knows that headers, query and claims map to something.
func schemaType(schema any) types.Type {
	object, _ := schema.(map[string]any)
	switch object["type"] {
	case "string":
		return types.S
	case "integer", "number":
		return types.N
	case "boolean":
		return types.B
	case "array":
		return types.NewArray(nil, schemaType(object["items"]))
	case "object":
		return objectSchemaType(object)
	default:
		return types.A
	}
}

func objectSchemaType(object map[string]any) types.Type {
	var static []*types.StaticProperty
	properties, _ := object["properties"].(map[string]any)
	for name, property := range properties {
		static = append(static, types.NewStaticProperty(name, schemaType(property)))
	}
	if rest, isSchema := object["additionalProperties"].(map[string]any); isSchema {
		return types.NewObject(static, types.NewDynamicProperty(types.S, schemaType(rest)))
	}
	return types.NewObject(static, nil)
}

// documentType is the type of a data file. Large objects are taken as maps, so
// that a list of thousands costs no more than a list of few.
func documentType(value any) types.Type {
	switch value := value.(type) {
	case []any:
		var of types.Type
		for _, item := range value {
			of = types.Or(of, documentType(item))
		}
		return types.NewArray(nil, orAny(of))
	case map[string]any:
		return mapType(value)
	default:
		return types.TypeOf(value)
	}
}

func mapType(value map[string]any) types.Type {
	if len(value) > 64 {
		var of types.Type
		for _, item := range value {
			of = types.Or(of, documentType(item))
		}
		return types.NewObject(nil, types.NewDynamicProperty(types.S, of))
	}
	static := make([]*types.StaticProperty, 0, len(value))
	for name, item := range value {
		static = append(static, types.NewStaticProperty(name, documentType(item)))
	}
	return types.NewObject(static, nil)
}

func orAny(tpe types.Type) types.Type {
	if tpe == nil {
		return types.A
	}
	return tpe
}

func isAny(tpe types.Type) bool {
	any, ok := tpe.(types.Any)
	return tpe == nil || (ok && len(any) == 0)
}

func keys(tpe types.Type) types.Type { return orAny(types.Keys(tpe)) }

func elements(tpe types.Type) types.Type { return orAny(types.Values(tpe)) }

// step is the type one operand further down a reference.
func step(tpe types.Type, operand *ast.Term) types.Type {
	if !ast.IsConstant(operand.Value) {
		return elements(tpe)
	}
	key, err := ast.JSON(operand.Value)
	if err != nil {
		return types.A
	}
	return orAny(types.Select(tpe, key))
}

// within says whether every value of a type is one of another.
func within(tpe, bound types.Type) bool {
	if named, isNamed := bound.(*types.NamedType); isNamed {
		return within(tpe, named.Type)
	}
	if isAny(bound) {
		return true
	}
	if isAny(tpe) {
		return false
	}
	if union, isUnion := tpe.(types.Any); isUnion {
		for _, member := range union {
			if !within(member, bound) {
				return false
			}
		}
		return true
	}
	if union, isUnion := bound.(types.Any); isUnion {
		for _, member := range union {
			if within(tpe, member) {
				return true
			}
		}
		return false
	}
	return withinKind(tpe, bound)
}

func withinKind(tpe, bound types.Type) bool {
	switch bound := bound.(type) {
	case *types.Array:
		array, ok := tpe.(*types.Array)
		return ok && (bound.Dynamic() == nil || array.Len() == 0 && array.Dynamic() == nil || within(elements(array), bound.Dynamic()))
	case *types.Set:
		set, ok := tpe.(*types.Set)
		return ok && (set.Of() == nil || within(set.Of(), orAny(bound.Of())))
	case *types.Object:
		object, ok := tpe.(*types.Object)
		return ok && (len(object.StaticProperties()) == 0 && object.DynamicProperties() == nil ||
			within(elements(object), orAny(bound.DynamicValue())))
	default:
		return types.Compare(tpe, bound) == 0
	}
}

// overlap says whether two types share a value, as far as their kinds tell.
func overlap(a, b types.Type) bool {
	if isAny(a) || isAny(b) {
		return true
	}
	if union, isUnion := a.(types.Any); isUnion {
		for _, member := range union {
			if overlap(member, b) {
				return true
			}
		}
		return false
	}
	if _, isUnion := b.(types.Any); isUnion {
		return overlap(b, a)
	}
	return kind(a) == kind(b)
}

func kind(tpe types.Type) string {
	switch tpe := tpe.(type) {
	case types.Null:
		return "null"
	case types.Boolean:
		return "a boolean"
	case types.Number:
		return "a number"
	case types.String:
		return "a string"
	case *types.Array:
		return "an array"
	case *types.Set:
		return "a set"
	case *types.Object:
		return "an object"
	case *types.NamedType:
		return kind(tpe.Type)
	default:
		return "of any type"
	}
}

func neverEqual(a, b types.Type) string {
	return fmt.Sprintf("this never holds: one side is %s, the other is %s", kind(a), kind(b))
}
