-- The descendants of some concepts, themselves included.
SELECT DISTINCT
    ancestor_concept_id::bigint AS ancestor_concept_id,
    descendant_concept_id::bigint AS concept_id
FROM {concept_ancestor}
WHERE ancestor_concept_id::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[])))
ORDER BY 1, 2
