package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMap holds that the README's map has every package.
func TestMap(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages(tree(t)) {
		if link := "[" + pkg + "](" + pkg + "/doc.go)"; !strings.Contains(string(readme), link) {
			t.Errorf("README.md has no line for %s", link)
		}
	}
}
