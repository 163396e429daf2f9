package main

import (
	"context"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// runTests runs the test rules of all files but Writ's own.
func runTests(ctx context.Context, request Request) (Response, error) {
	checked, faults, err := checkSource(request)
	if err != nil {
		return Response{}, err
	}
	if len(faults) > 0 {
		return Response{Faults: faults}, nil
	}
	source := checked.Source
	for _, file := range source.Base {
		delete(source.Tests, file)
	}
	results, report, err := runSuite(ctx, request, source)
	if err != nil {
		return Response{Faults: faultsOf(err)}, nil
	}
	response := Response{OK: true, Tests: results}
	if request.Coverage {
		for _, file := range append(slices.Clone(source.Base), needsFile) {
			delete(report.Files, file)
		}
		response.Coverage = &report
	}
	return response, nil
}

func runSuite(ctx context.Context, request Request, source *Source) ([]TestResult, cover.Report, error) {
	coverage := cover.New()
	compiler := ast.NewCompiler().
		WithCapabilities(capabilities(request.Builtins)).
		WithEnablePrintStatements(true).
		WithUseTypeCheckAnnotations(false).
		WithRewriteTestRules(true)
	modules := source.all()
	runner := tester.NewRunner().
		SetDefaultRegoVersion(ast.RegoV1).
		SetCompiler(compiler).
		SetModules(modules).
		SetStore(inmem.NewFromObject(source.Data)).
		CapturePrintOutput(true).
		Filter(request.Run)
	if request.Coverage {
		runner = runner.SetCoverageQueryTracer(coverage)
	}
	var outcomes []TestResult
	err := inTransaction(ctx, source, func(store storage.Store, txn storage.Transaction) error {
		results, err := runner.SetStore(store).RunTests(ctx, txn)
		if err != nil {
			return err
		}
		for result := range results {
			outcomes = append(outcomes, outcomeOf(result))
		}
		return nil
	})
	return outcomes, coverage.Report(maps.Clone(modules)), err
}

func inTransaction(ctx context.Context, source *Source, use func(storage.Store, storage.Transaction) error) error {
	store := inmem.NewFromObject(source.Data)
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	defer store.Abort(ctx, txn)
	return use(store, txn)
}

func outcomeOf(result *tester.Result) TestResult {
	outcome := TestResult{
		File: result.Location.File, Line: result.Location.Row, Package: result.Package, Name: result.Name,
		Outcome: "pass", Output: string(result.Output), DurationNS: result.Duration.Nanoseconds(),
	}
	switch {
	case result.Skip:
		outcome.Outcome = "skip"
	case result.Error != nil:
		outcome.Outcome, outcome.Message = "error", result.Error.Error()
	case result.Fail:
		outcome.Outcome = "fail"
		if result.FailedAt != nil {
			outcome.Message = "not true: " + result.FailedAt.String()
		}
	}
	return outcome
}
