package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
)

// build compiles to WASM exactly as `opa build --target wasm` does with the same
// relative paths; module and data equal its output byte for byte.
func build(ctx context.Context, request Request) (Response, error) {
	checked, faults, err := checkSource(request)
	if err != nil {
		return Response{}, err
	}
	if len(faults) > 0 {
		return Response{Faults: faults}, nil
	}
	compiler := compile.New().
		WithCapabilities(capabilities(request.Builtins)).
		WithRegoVersion(ast.RegoV1).
		WithTarget(compile.TargetWasm).
		WithEntrypoints(request.Entrypoints...).
		WithBundle(unlinked(checked.Source))
	if err := compiler.Build(ctx); err != nil {
		return Response{Faults: faultsOf(err)}, nil
	}
	var data bytes.Buffer
	if err := json.NewEncoder(&data).Encode(compiler.Bundle().Data); err != nil {
		return Response{}, err
	}
	wasm := compiler.Bundle().WasmModules[0].Raw
	return Response{OK: true, Wasm: wasm, Data: data.Bytes(), Generated: checked.Generated, Needs: checked.Needs}, nil
}

// unlinked is the bundle that OPA's loader would have made of the folder.
func unlinked(source *Source) *bundle.Bundle {
	result := &bundle.Bundle{Data: source.Data}
	result.SetRegoVersion(ast.RegoV1)
	result.Manifest.Init()
	for _, file := range slices.Sorted(maps.Keys(source.Modules)) {
		result.Modules = append(result.Modules, bundle.ModuleFile{URL: file, Path: file, Parsed: source.Modules[file]})
	}
	return result
}
