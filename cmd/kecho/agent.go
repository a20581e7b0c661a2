package main

import (
	"errors"
	"log"
	"log/slog"
	"os"

	"github.com/urfave/cli/v2"

	"kecho/agent"
	"kecho/agent/api"
)

func agentCommand() *cli.Command {
	return &cli.Command{
		Name:  "agent",
		Usage: "run a node: stand before a web server and share its overflow",
		Description: "Serves what its own web server can take, hands the rest to agents of the\n" +
			"cluster that have a free place, and takes theirs. Alone it is a plain proxy; --join any\n" +
			"member to be one. SIGTERM or SIGINT drains it: readiness first, what is in\n" +
			"flight is finished, then it leaves; a second signal ends it at once.",
		CustomHelpTemplate: groupedHelp,
		Flags:              agentFlags(),
		Action:             runAgent,
	}
}

func runAgent(c *cli.Context) error {
	cfg, err := agentConfig(c)
	if err != nil {
		return err
	}
	if err := errors.Join(refuseZeros(c, agentZeros), cfg.Validate()); err != nil {
		return usageError(c, "%v", err)
	}
	if cfg.Logger, err = newLogger(c); err != nil {
		return err
	}
	for _, warning := range strayVariables(c, os.Environ()) {
		cfg.Logger.Warn(warning)
	}
	// net/http quotes what a broken web server sends through package log.
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug).Writer())
	a, err := agent.New(cfg)
	if err != nil {
		return &api.Error{Code: api.Usage, Err: err, Detail: err.Error()}
	}
	limitMemory(c.Context, cfg.Logger)
	return a.Run(c.Context)
}
