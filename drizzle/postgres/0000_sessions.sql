CREATE TABLE "bunpie_sessions" (
	"id" text COLLATE "C" PRIMARY KEY NOT NULL,
	"data" text NOT NULL,
	"flash" text,
	"version" bigint NOT NULL,
	"created_at" bigint NOT NULL,
	"touched_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"user_id" text COLLATE "C",
	"authenticated_at" bigint,
	"remember" bigint
);
--> statement-breakpoint
CREATE INDEX "bunpie_sessions_expires_at" ON "bunpie_sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "bunpie_sessions_user_id" ON "bunpie_sessions" USING btree ("user_id") WHERE "bunpie_sessions"."user_id" is not null;