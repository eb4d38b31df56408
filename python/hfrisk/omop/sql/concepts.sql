-- What the vocabulary says about some concepts.
SELECT
    concept_id::bigint AS concept_id,
    concept_name::text AS concept_name,
    domain_id::text AS domain_id,
    standard_concept::text AS standard_concept
FROM {concept}
WHERE concept_id::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[])))
ORDER BY 1
