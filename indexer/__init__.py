"""Things in: files and manifests become items of a collection.

Read it in this order: `pipeline` is the main path; `sources` says what there is to read;
`reading` reads one file, with `latent.media.decode` for pictures, `latent.media.documents` and
`passages` for texts; `ahead` does so on threads; `batches` embeds and stores. `manifests` is the
same path for the rows of tables. `below` opens files and follows no link. `cli` is the command
line, `upkeep` its commands that look after collections; `watch` runs the path again when files
change, `report` says what a run did, `differences` what verify finds of the files. `export` writes
a collection as a manifest, `backups` all there is; `plan` says what a collection would take. Stands
on `latent`; does not know `service`.
"""
