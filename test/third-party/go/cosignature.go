package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A witness as c2sp.org/tlog-cosignature defines it (cosignature/v1), for Go's note.Open.
type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func (w witness) Name() string    { return w.name }
func (w witness) KeyHash() uint32 { return w.id }

func (w witness) Verify(text, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
	return time>>63 == 0 && ed25519.Verify(w.key, []byte(message), signature[8:])
}

// Every witness must have cosigned.
func checkCosigned(given document) {
	log, err := note.NewVerifier(given.VerifierKey)
	if err != nil {
		fail(err)
	}
	known := []note.Verifier{log}
	for _, key := range given.Witnesses {
		known = append(known, newWitness(key))
	}
	opened, err := note.Open([]byte(given.Cosigned), note.VerifierList(known...))
	if err != nil {
		fail(err)
	}
	if len(opened.Sigs) != len(known) || len(opened.UnverifiedSigs) != 0 {
		fail(fmt.Errorf("%d signatures, %d keys", len(opened.Sigs), len(known)))
	}
}

func newWitness(vkey string) witness {
	name, rest, _ := strings.Cut(vkey, "+")
	id, encoded, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		fail(fmt.Errorf("not a witness's key: %q", vkey))
	}
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	if fmt.Sprintf("%x", sum[:4]) != id {
		fail(fmt.Errorf("not the id of its key: %q", vkey))
	}
	return witness{name, binary.BigEndian.Uint32(sum[:]), key[1:]}
}
