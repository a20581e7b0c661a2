package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// blamed is the flag that a line of an error begins with.
var blamed = regexp.MustCompile(`(?m)^--([\w-]+)`)

// fromEnvironment says of the flags that an error begins with which of them
// have their value from the environment, where nobody looks first.
func fromEnvironment(c *cli.Context, detail string) string {
	if c.Command == nil {
		return ""
	}
	said := ""
	for _, m := range blamed.FindAllStringSubmatch(detail, -1) {
		for _, f := range c.Command.Flags {
			doc, ok := f.(cli.DocGenerationFlag)
			if !ok || !slices.Contains(f.Names(), m[1]) {
				continue
			}
			for _, variable := range doc.GetEnvVars() {
				if os.Getenv(variable) != "" {
					said += fmt.Sprintf("%s is set: it says --%s unless the command line does\n", variable, m[1])
				}
			}
		}
	}
	return said
}

// ownVariables are those of kecho's that set no flag of `kecho agent`.
var ownVariables = []string{
	keyData, gatewayKeyData, "KECHO_API", "KECHO_HOLDER",
	"KECHO_LEASE", "KECHO_NODE", "KECHO_FENCE", // of `kecho lease run`
}

// strayVariables are warnings of variables that look like a misspelt one of the
// command's. Others may begin with KECHO_ too, as Kubernetes' do for a service
// of that name.
func strayVariables(c *cli.Context, environ []string) (warnings []string) {
	known := slices.Clone(ownVariables)
	for _, f := range c.Command.Flags {
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			known = append(known, doc.GetEnvVars()...)
		}
	}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "KECHO_") || slices.Contains(known, name) {
			continue
		}
		// Short names are alike by chance: KECHO_PORT is no slip of KECHO_CERT.
		if near := nearest(name, known); near != "" && 4*distance(name, near) <= len(name)-len("KECHO_") {
			warnings = append(warnings, fmt.Sprintf("%s is set, and nothing reads it: did you mean %s?", name, near))
		}
	}
	return warnings
}
