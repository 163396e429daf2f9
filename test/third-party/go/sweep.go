package main

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Leaf hashes, and proofs over their first N: the package must make the same ones.
type sweep struct {
	Leaves      [][]byte
	Inclusions  []sweptProof // of leaf A in the tree of B leaves
	Consistency []sweptProof // from A leaves to B
}

type sweptProof struct {
	A, B   int64
	Hashes [][]byte
}

func checkSweep(given sweep) {
	stored := rebuild(hashes(given.Leaves))
	for _, one := range given.Inclusions {
		made, err := tlog.ProveRecord(one.B, one.A, stored)
		same(fmt.Sprintf("leaf %d of %d", one.A, one.B), made, one.Hashes, err)
	}
	for _, one := range given.Consistency {
		made, err := tlog.ProveTree(one.B, one.A, stored)
		same(fmt.Sprintf("%d to %d", one.A, one.B), made, one.Hashes, err)
	}
}

func same(name string, made []tlog.Hash, given [][]byte, err error) {
	if err != nil {
		fail(fmt.Errorf("%s: %w", name, err))
	}
	for i, hash := range hashes(given) {
		if len(made) != len(given) || made[i] != hash {
			fail(fmt.Errorf("%s: other hashes", name))
		}
	}
	if len(made) != len(given) {
		fail(fmt.Errorf("%s: %d hashes, not %d", name, len(given), len(made)))
	}
}
