package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
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
	source.dropBaseTests()
	results, report, err := runSuite(ctx, request, source)
	if err != nil {
		return Response{Faults: faultsOf(err)}, nil
	}
	response := Response{OK: true, Tests: results}
	if request.Coverage {
		response.Coverage = authoredOnly(report, source)
	}
	return response, nil
}

// authoredOnly is the coverage of the authors' rules: not of Writ's, not of tests.
func authoredOnly(report cover.Report, source *Source) *cover.Report {
	kept := cover.Report{Files: map[string]*cover.FileReport{}}
	for file, lines := range report.Files {
		if source.Modules[file] == nil || file == needsFile || slices.Contains(source.Base, file) {
			continue
		}
		kept.Files[file] = lines
		kept.CoveredLines += lines.CoveredLines
		kept.NotCoveredLines += lines.NotCoveredLines
	}
	if lines := kept.CoveredLines + kept.NotCoveredLines; lines > 0 {
		kept.Coverage = math.Round(1000*float64(kept.CoveredLines)/float64(lines)) / 10
	}
	return &kept
}

// dropBaseTests leaves what Writ's own test files lend to authors' tests, such as
// sample inputs.
func (source *Source) dropBaseTests() {
	for _, file := range source.Base {
		if module, isTest := source.Tests[file]; isTest && slices.ContainsFunc(module.Rules, isTestRule) {
			delete(source.Tests, file)
		}
	}
}

func isTestRule(rule *ast.Rule) bool {
	return strings.HasPrefix(string(rule.Head.Name), tester.TestPrefix)
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
		CapturePrintOutput(true).
		EnableTracing(true).
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
	slices.SortFunc(outcomes, func(a, b TestResult) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Name, b.Name))
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
		outcome.Outcome, outcome.Message = "fail", failedAt(result)
	}
	return outcome
}

// failedAt is the last line of the test itself that did not hold.
func failedAt(result *tester.Result) string {
	for _, event := range slices.Backward(result.Trace) {
		expr, isExpr := event.Node.(*ast.Expr)
		if event.Op == topdown.FailOp && isExpr && event.Location != nil && event.Location.File == result.Location.File {
			return fmt.Sprintf("does not hold, line %d: %s", event.Location.Row, sourceOf(expr))
		}
	}
	return ""
}

func sourceOf(expr *ast.Expr) string {
	if expr.Location == nil || len(expr.Location.Text) == 0 {
		return expr.String()
	}
	return string(expr.Location.Text)
}
