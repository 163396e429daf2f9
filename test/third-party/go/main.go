// A verifier of Writ's log that shares no code with it: Go's own note and tlog packages.
//
// It reads one JSON document from standard input and exits 0 where everything in it verifies, 1 with a sentence
// otherwise.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Entry []byte // base64 in JSON, as all byte slices here
	Proof string // tlog-proof text
}

type document struct {
	VerifierKey string
	Checkpoint  string
	Inclusions  []inclusion
	// The consistency proof from an older checkpoint.
	OldCheckpoint string
	Consistency   [][]byte
	// A checkpoint with cosignatures of these witnesses (c2sp.org/tlog-cosignature).
	Witnesses []string
	Cosigned  string
	// A proof of forking: urn:writ:fork:v1.
	Fork *fork
	// Everything that the log publishes.
	Site *site
	// Proofs of many sizes.
	Sweep *sweep
}

type fork struct {
	First, Second string
	Root          []byte
	Consistency   [][]byte
}

func main() {
	var given document
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fail(err)
	}
	verifiers := trusted(given.VerifierKey)
	head := open(given.Checkpoint, verifiers)
	for _, one := range given.Inclusions {
		checkInclusion(one, verifiers)
	}
	if given.OldCheckpoint != "" {
		old := open(given.OldCheckpoint, verifiers)
		proof := tlog.TreeProof(hashes(given.Consistency))
		if err := tlog.CheckTree(proof, head.N, head.Hash, old.N, old.Hash); err != nil {
			fail(err)
		}
	}
	if len(given.Witnesses) > 0 {
		checkCosigned(given)
	}
	if given.Fork != nil {
		checkFork(*given.Fork, verifiers)
	}
	if given.Site != nil {
		checkSite(*given.Site, verifiers)
	}
	if given.Sweep != nil {
		checkSweep(*given.Sweep)
	}
	fmt.Printf("%d entries, %d inclusion proofs\n", head.N, len(given.Inclusions))
}

func trusted(key string) note.Verifiers {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		fail(err)
	}
	return note.VerifierList(verifier)
}

// The package's own ParseTree is for the Go checksum database; a checkpoint's three lines are read here.
func open(checkpoint string, verifiers note.Verifiers) tlog.Tree {
	opened, err := note.Open([]byte(checkpoint), verifiers)
	if err != nil {
		fail(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != opened.Sigs[0].Name {
		fail(fmt.Errorf("not a checkpoint: %q", opened.Text))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		fail(err)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		fail(err)
	}
	return tlog.Tree{N: size, Hash: root}
}

func checkInclusion(one inclusion, verifiers note.Verifiers) {
	head, checkpoint, found := strings.Cut(one.Proof, "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail(fmt.Errorf("not a tlog-proof: %q", one.Proof))
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		fail(err)
	}
	var path [][]byte
	for _, line := range lines[2:] {
		hash, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			fail(err)
		}
		path = append(path, hash)
	}
	tree := open(checkpoint, verifiers)
	if err := tlog.CheckRecord(tlog.RecordProof(hashes(path)), tree.N, tree.Hash, index, tlog.RecordHash(one.Entry)); err != nil {
		fail(err)
	}
}

// One key signed two trees: of one size, or of two sizes where the larger tree's beginning is another than the smaller one.
func checkFork(given fork, verifiers note.Verifiers) {
	first, second := open(given.First, verifiers), open(given.Second, verifiers)
	if first.N == second.N {
		if first.Hash == second.Hash {
			fail(fmt.Errorf("no fork: the roots are the same"))
		}
		return
	}
	root := hashes([][]byte{given.Root})[0]
	if root == first.Hash {
		fail(fmt.Errorf("no fork: the second tree begins with the first one"))
	}
	if err := tlog.CheckTree(hashes(given.Consistency), second.N, second.Hash, first.N, root); err != nil {
		fail(err)
	}
}

func hashes(raw [][]byte) []tlog.Hash {
	list := make([]tlog.Hash, len(raw))
	for i, bytes := range raw {
		if len(bytes) != tlog.HashSize {
			fail(fmt.Errorf("a hash of %d bytes", len(bytes)))
		}
		copy(list[i][:], bytes)
	}
	return list
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
