-- Room for a new version of a row beside the old one. Where there is none, an update has to write to
-- all three indexes as well: with sessions of 1.5 KB that was two in five of them, now it is one in 150.
ALTER TABLE "bunpie_sessions" SET (fillfactor = 70);
