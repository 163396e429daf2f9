package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// evaluate answers each result of a query, and on request how it came about. A
// builtin that fails is undefined here as it is in the compiled module.
func evaluate(ctx context.Context, request Request) (Response, error) {
	checked, faults, err := checkSource(request)
	if err != nil {
		return Response{}, err
	}
	if len(faults) > 0 {
		return Response{Faults: faults}, nil
	}
	var response Response
	err = inTransaction(ctx, checked.Source, func(store storage.Store, txn storage.Transaction) error {
		response, err = evaluateIn(ctx, request, checked.Source, rego.Store(store), rego.Transaction(txn))
		return err
	})
	return response, err
}

func evaluateIn(ctx context.Context, request Request, source *Source, extra ...func(*rego.Rego)) (Response, error) {
	tracer := topdown.NewBufferTracer()
	options := append(extra, rego.Query(request.Query), rego.Capabilities(capabilities(request.Builtins)))
	for _, file := range slices.Sorted(maps.Keys(source.Modules)) {
		options = append(options, rego.ParsedModule(source.Modules[file]))
	}
	if request.Trace {
		options = append(options, rego.QueryTracer(tracer))
	}
	if len(request.Input) > 0 {
		input, err := inputValue(request.Input)
		if err != nil {
			return Response{}, err
		}
		options = append(options, rego.ParsedInput(input))
	}
	set, err := rego.New(options...).Eval(ctx)
	if err != nil {
		return Response{Faults: faultsOf(err)}, nil
	}
	return resultsOf(set, tracer)
}

func inputValue(text json.RawMessage) (ast.Value, error) {
	var value any
	if err := util.Unmarshal(text, &value); err != nil {
		return nil, err
	}
	return ast.InterfaceToValue(value)
}

func resultsOf(set rego.ResultSet, tracer *topdown.BufferTracer) (Response, error) {
	response := Response{OK: true, Defined: len(set) > 0}
	for _, result := range set {
		text, err := json.Marshal(result.Expressions[0].Value)
		if err != nil {
			return Response{}, err
		}
		response.Result = append(response.Result, text)
	}
	var trace strings.Builder
	topdown.PrettyTraceWithLocation(&trace, *tracer)
	response.Trace = trace.String()
	return response, nil
}
