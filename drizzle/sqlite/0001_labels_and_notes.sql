DROP INDEX `bunpie_sessions_user_id`;--> statement-breakpoint
ALTER TABLE `bunpie_sessions` ADD `label` text;--> statement-breakpoint
ALTER TABLE `bunpie_sessions` ADD `superseded_by` text;--> statement-breakpoint
CREATE INDEX `bunpie_sessions_user_id` ON `bunpie_sessions` (`user_id`,`touched_at`,`expires_at`) WHERE "bunpie_sessions"."user_id" is not null;