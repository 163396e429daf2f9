package main

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

const needsFile = "writ/needs.rego"

// module is the policy's needs as Rego: the base policy enforces them, so that no
// engine has to be trusted to.
func (needs Needs) module() string {
	return fmt.Sprintf("package writ.needs\n\nallow := %t\n\ncontent := %t\n", needs.Allow, len(needs.Content) > 0)
}

func (source *Source) declare(needs Needs) error {
	module, err := ast.ParseModuleWithOpts(needsFile, needs.module(), ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return err
	}
	source.Modules[needsFile] = module
	return nil
}

// defines says whether an author wrote a rule of this name in package policy.
func (source *Source) defines(name string) bool {
	for _, module := range source.authored(source.Modules) {
		if !module.Package.Path.Equal(policyPackage) {
			continue
		}
		for _, rule := range module.Rules {
			if rule.Head.Ref()[0].Value.Compare(ast.Var(name)) == 0 {
				return true
			}
		}
	}
	return false
}
