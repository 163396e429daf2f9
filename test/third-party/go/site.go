package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A log's static resources (c2sp.org/tlog-tiles), in a folder or on a server.
type site struct {
	Place string // a folder, or an http URL
	Token string // for entry bundles over HTTP
	Until int64  // entries 1 to this were pruned: bundles of them are not there, hashes are
}

// Everything that is there must be the one tree of the checkpoint: every leaf, every tile, every entry.
func checkSite(given site, verifiers note.Verifiers) {
	head := open(string(given.must("checkpoint")), verifiers)
	reader := tlog.TileHashReader(head, given)
	leaves := make([]int64, head.N)
	for n := range leaves {
		leaves[n] = tlog.StoredHashIndex(0, int64(n))
	}
	found, err := reader.ReadHashes(leaves) // compares each tile with the head
	if err != nil {
		fail(err)
	}
	stored := rebuild(found)
	root, err := tlog.TreeHash(head.N, stored)
	if err != nil {
		fail(err)
	}
	if root != head.Hash {
		fail(fmt.Errorf("the tiles hash to %v, the checkpoint says %v", root, head.Hash))
	}
	for level, nodes := 0, head.N; nodes > 0; level, nodes = level+1, nodes>>8 {
		checkLevel(given, level, nodes, stored)
	}
	for n := int64(0); n*256 < head.N; n++ {
		width := min(256, int(head.N-n*256))
		if n*256 < given.Until {
			if _, err := given.read(resource("entries", n, width)); err == nil {
				fail(fmt.Errorf("bundle %d is there, though it was pruned", n))
			}
			continue
		}
		checkBundle(given.must(resource("entries", n, width)), found[n*256:n*256+int64(width)])
	}
}

// All hashes of the tree over these leaves, as the package stores them.
func rebuild(leaves []tlog.Hash) tlog.HashReaderFunc {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	for n, leaf := range leaves {
		added, err := tlog.StoredHashesForRecordHash(int64(n), leaf, reader)
		if err != nil {
			fail(err)
		}
		stored = append(stored, added...)
	}
	return reader
}

func checkLevel(given site, level int, nodes int64, stored tlog.HashReaderFunc) {
	for n := int64(0); n*256 < nodes; n++ {
		width := min(256, int(nodes-n*256))
		wanted, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: width}, stored)
		if err != nil {
			fail(err)
		}
		path := resource(fmt.Sprint(level), n, width)
		if !bytes.Equal(given.must(path), wanted) {
			fail(fmt.Errorf("%s is not the tree's", path))
		}
	}
}

func checkBundle(bundle []byte, leaves []tlog.Hash) {
	for _, leaf := range leaves {
		if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
			fail(fmt.Errorf("a bundle ends early"))
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		if tlog.RecordHash(bundle[2:end]) != leaf {
			fail(fmt.Errorf("an entry is not the tree's"))
		}
		bundle = bundle[end:]
	}
	if len(bundle) > 0 {
		fail(fmt.Errorf("%d bytes after the last entry", len(bundle)))
	}
}

// c2sp.org/tlog-tiles: groups of three digits, all but the last with an x.
func resource(level string, n int64, width int) string {
	digits := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		digits = fmt.Sprintf("x%03d/%s", n%1000, digits)
	}
	path := "tile/" + level + "/" + digits
	if width < 256 {
		path += fmt.Sprintf(".p/%d", width)
	}
	return path
}

func (given site) Height() int                             { return 8 }
func (given site) SaveTiles(tiles []tlog.Tile, _ [][]byte) {}

func (given site) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		read, err := given.read(resource(fmt.Sprint(tile.L), tile.N, tile.W))
		if err != nil {
			return nil, err
		}
		data[i] = read
	}
	return data, nil
}

func (given site) must(path string) []byte {
	data, err := given.read(path)
	if err != nil {
		fail(err)
	}
	return data
}

func (given site) read(path string) ([]byte, error) {
	if !strings.HasPrefix(given.Place, "http://") {
		return os.ReadFile(filepath.Join(given.Place, filepath.FromSlash(path)))
	}
	request, err := http.NewRequest("GET", given.Place+path, nil)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "tile/entries/") {
		request.Header.Set("Authorization", "Bearer "+given.Token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	return io.ReadAll(response.Body)
}
