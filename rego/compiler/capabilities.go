package main

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// native lists the builtins that OPA's WASM target carries inside the module
// (internal/compiler/wasm.builtinsFunctions); capabilities_test.go compares.
var native = []string{
	"abs", "all", "and", "any", "array.concat", "array.flatten", "array.reverse", "array.slice",
	"base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode",
	"bits.and", "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor",
	"ceil", "concat", "contains", "count", "div", "endswith", "equal", "floor", "format_int",
	"glob.match", "graph.reachable", "gt", "gte", "indexof",
	"internal.member_2", "internal.member_3", "internal.template_string",
	"intersection", "is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string",
	"json.filter", "json.is_valid", "json.marshal", "json.remove", "json.unmarshal",
	"lower", "lt", "lte", "max", "min", "minus", "mul", "neq",
	"net.cidr_contains", "net.cidr_intersects", "net.cidr_overlap", "numbers.range",
	"object.filter", "object.get", "object.keys", "object.remove", "object.union", "object.union_n",
	"or", "plus", "product", "re_match", "regex.find_all_string_submatch_n", "regex.is_valid", "regex.match",
	"rem", "replace", "round", "set_diff", "sort", "split", "startswith", "strings.replace_n", "strings.reverse",
	"substring", "sum", "to_number", "trim", "trim_left", "trim_prefix", "trim_right", "trim_space",
	"trim_suffix", "type_name", "union", "upper", "walk",
}

// erased are legal in sources but never reach the module: print calls are
// removed, assignment and unification are planned as such.
var erased = []string{"assign", "eq", "print", "internal.print", "internal.test_case"}

// capabilities is OPA's own list, cut down to what an evaluation here can run.
// Whatever is left out fails at compile time, at file and line.
func capabilities(host []string) *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	kept := make([]*ast.Builtin, 0, len(native)+len(erased)+len(host))
	for _, builtin := range all.Builtins {
		if builtin.IsNondeterministic() {
			continue
		}
		name := builtin.Name
		if slices.Contains(native, name) || slices.Contains(erased, name) || slices.Contains(host, name) {
			kept = append(kept, builtin)
		}
	}
	return &ast.Capabilities{
		Builtins:        kept,
		FutureKeywords:  all.FutureKeywords,
		WasmABIVersions: all.WasmABIVersions,
		Features:        all.Features,
		AllowNet:        []string{},
	}
}
