package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"
)

// Checked is a policy that passed every check, with what was learnt of it.
type Checked struct {
	Source    *Source
	Generated map[string]string
	Needs     *Needs
}

func check(request Request) (Response, error) {
	checked, faults, err := checkSource(request)
	if err != nil {
		return Response{}, err
	}
	if len(faults) > 0 {
		return Response{Faults: faults}, nil
	}
	return Response{OK: true, Needs: checked.Needs}, nil
}

// checkSource runs all checks in their order: parse, layout of packages, OPA's
// own (strict, with input typed by the schema), then what can fail open.
func checkSource(request Request) (*Checked, []Fault, error) {
	source, faults := parse(request)
	if len(faults) > 0 {
		return nil, faults, nil
	}
	if !request.Rules {
		_, faults, err := compileStrictly(request, source)
		return &Checked{Source: source}, faults, err
	}
	if faults := layoutFaults(source); len(faults) > 0 {
		return nil, sorted(faults), nil
	}
	if err := source.declare(Needs{Allow: true, Content: []string{"json"}}); err != nil {
		return nil, nil, err
	}
	compiler, faults, err := compileStrictly(request, source)
	if err != nil || len(faults) > 0 {
		return nil, faults, err
	}
	analysis, err := analyse(request, source, compiler)
	if err != nil {
		return nil, nil, err
	}
	if len(analysis.faults) > 0 {
		return nil, sorted(analysis.faults), nil
	}
	needs := Needs{Allow: source.defines("allow"), Content: append([]string{}, slices.Sorted(maps.Keys(analysis.content))...)}
	if err := source.declare(needs); err != nil {
		return nil, nil, err
	}
	return &Checked{Source: source, Generated: map[string]string{needsFile: needs.module()}, Needs: &needs}, nil, nil
}

func compileStrictly(request Request, source *Source) (*ast.Compiler, []Fault, error) {
	compiler := ast.NewCompiler().
		WithCapabilities(capabilities(request.Builtins)).
		WithStrict(true).
		WithUseTypeCheckAnnotations(false).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(false)
	if len(request.Schema) > 0 {
		schema, err := schemaSet(request.Schema)
		if err != nil {
			return nil, nil, err
		}
		compiler = compiler.WithSchemas(schema)
	}
	compiler.Compile(source.Modules)
	if compiler.Failed() {
		return nil, faultsOf(compiler.Errors), nil
	}
	return compiler, nil, nil
}

func schemaSet(text json.RawMessage) (*ast.SchemaSet, error) {
	var schema any
	if err := util.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	return set, nil
}
