package main

import (
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
)

// keyData is the environment's way to give the key itself instead of a file.
const keyData = "KECHO_KEY_DATA"

// maxKeyFile is far more than the base64 of 32 bytes, and far less than what
// somebody might name by mistake.
const maxKeyFile = 4 << 10

// gatewayKeyData is the same for the other cluster of a gateway.
const gatewayKeyData = "KECHO_GATEWAY_KEY_DATA"

// readKey is the gossip key that the flag or the environment's variable give; nil
// when neither does. No error shows what the file holds.
func readKey(c *cli.Context, flag, variable string) ([]byte, error) {
	file, data := c.String(flag), os.Getenv(variable)
	source := variable
	switch {
	case file != "" && data != "":
		return nil, usageError(c, "--%s and %s both give a key: leave one out", flag, variable)
	case file != "":
		var err error
		if data, err = readShort(file); err != nil {
			return nil, usageError(c, "--%s %s: %v", flag, file, err)
		}
		source = "--" + flag + " " + file
	case data == "":
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(data))
	if err != nil || len(key) == 0 {
		return nil, usageError(c, "%s does not hold base64: want one line, as `head -c 32 /dev/urandom | base64` makes it", source)
	}
	return key, nil
}

func readShort(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // the name is in the message already
		}
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	return string(data), err
}
