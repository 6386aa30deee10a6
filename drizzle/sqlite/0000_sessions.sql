CREATE TABLE `bunpie_sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`data` text NOT NULL,
	`flash` text,
	`version` integer NOT NULL,
	`created_at` integer NOT NULL,
	`touched_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`user_id` text,
	`authenticated_at` integer,
	`remember` integer
);
--> statement-breakpoint
CREATE INDEX `bunpie_sessions_expires_at` ON `bunpie_sessions` (`expires_at`);--> statement-breakpoint
CREATE INDEX `bunpie_sessions_user_id` ON `bunpie_sessions` (`user_id`) WHERE "bunpie_sessions"."user_id" is not null;