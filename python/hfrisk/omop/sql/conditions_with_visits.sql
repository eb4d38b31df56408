-- Every heart-failure record with the kind of visit in which it was made. A record without a standard concept counts by its source code.
SELECT
    c.{person_id}::bigint AS person_id,
    COALESCE(c.{condition_concept_id}::bigint, 0) AS condition_concept_id,
    c.{condition_start_date}::date AS condition_start_date,
    c.{visit_occurrence_id}::bigint AS visit_occurrence_id,
    v.visit_concept_id::bigint AS visit_concept_id
FROM {condition} AS c
LEFT JOIN {visit} AS v ON v.visit_occurrence_id::bigint = c.{visit_occurrence_id}::bigint
WHERE c.{person_id} IS NOT NULL
  AND (
    c.{condition_concept_id}::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[])))
    OR (COALESCE(c.{condition_concept_id}::bigint, 0) = 0 AND upper(CAST({condition_source_value} AS text)) ~ %(source_codes)s)
  )
ORDER BY 1, 3, 2, 4, 5
