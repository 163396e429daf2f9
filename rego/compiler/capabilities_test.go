package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// goName maps ast.Plus-like identifiers of OPA's table to builtin names by
// scanning the declarations next to it, so that the table is read from its source.
func goNames(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "v1/ast/builtins.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	declaration := regexp.MustCompile(`(?s)\nvar (\w+) = &Builtin\{\s*Name:\s*"([^"]+)"`)
	for _, match := range declaration.FindAllStringSubmatch(string(text), -1) {
		names[match[1]] = match[2]
	}
	return names
}

func TestNativeBuiltinsAreThoseOfTheWasmTarget(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(out))
	text, err := os.ReadFile(filepath.Join(dir, "internal/compiler/wasm/wasm.go"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "builtinsFunctions = map[string]string{")
	table, _, _ = strings.Cut(table, "\n}")
	names := goNames(t, dir)
	var want []string
	for _, match := range regexp.MustCompile(`ast\.(\w+)\.Name`).FindAllStringSubmatch(table, -1) {
		name, known := names[match[1]]
		if !known {
			t.Fatalf("no declaration of ast.%s", match[1])
		}
		want = append(want, name)
	}
	slices.Sort(want)
	if !slices.Equal(native, want) {
		t.Fatalf("native builtins differ:\nhave %q\nwant %q", native, want)
	}
}

func TestNothingNondeterministicIsOffered(t *testing.T) {
	everything := make([]string, 0, len(ast.Builtins))
	for _, builtin := range ast.Builtins {
		everything = append(everything, builtin.Name)
	}
	for _, builtin := range capabilities(everything).Builtins {
		if builtin.IsNondeterministic() {
			t.Errorf("%s is offered", builtin.Name)
		}
	}
}
