-- `drizzle-kit push` of an app wants to drop every sequence that its schema has not, also those that belong
-- to a table which its `tablesFilter` leaves out, and fails.
ALTER TABLE "bunpie_migrations" DROP COLUMN IF EXISTS "id";--> statement-breakpoint
ALTER TABLE "bunpie_migrations" ADD PRIMARY KEY ("created_at");
