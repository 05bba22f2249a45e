package models

import (
	"context"
	"log/slog"

	"posthaste/errs"
)

// lockState is what PostgreSQL says of row-level security for our connections.
type lockState struct {
	Role    string
	Active  bool    // the policies hold this role
	Setting *string // posthaste.tenant as it arrived
}

// checkLock makes sure that the second lock between tenants works. A setting
// that did not arrive (a pooler may drop what it does not know) would hide every
// row, so that is refused; a role that no policy holds works, and its operator
// is told.
func (d *database) checkLock(ctx context.Context, logger *slog.Logger) error {
	if d.dialect == sqliteDialect {
		return nil
	}
	var found []lockState
	err := query(d.reader.WithContext(ctx), &found, `SELECT current_user AS role,
		row_security_active('webhooks') AS active, current_setting('`+tenantSetting+`', true) AS setting`)
	if err != nil {
		return translate(err)
	}
	if found[0].Setting == nil || *found[0].Setting != allTenants {
		return errs.New(errs.Internal, "The database connection lost its setting "+tenantSetting+
			", which decides what it may see: connect to PostgreSQL directly, or have the pooler pass start-up parameters on")
	}
	if !found[0].Active {
		logger.Warn("the database role is a superuser or may bypass row-level security, so tenants are kept apart by our queries alone:"+
			" make an ordinary role that owns the database, such as CREATE ROLE posthaste LOGIN, and name it in POSTHASTE_DATABASE_URL",
			"role", found[0].Role)
	}
	return nil
}
