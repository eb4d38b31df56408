-- Every heart-failure record. A record without a standard concept counts by its source code.
SELECT
    {person_id}::bigint AS person_id,
    COALESCE({condition_concept_id}::bigint, 0) AS condition_concept_id,
    {condition_start_date}::date AS condition_start_date,
    CAST({visit_occurrence_id} AS bigint) AS visit_occurrence_id
FROM {condition}
WHERE {person_id} IS NOT NULL
  AND (
    {condition_concept_id}::bigint = ANY(%(concept_ids)s)
    OR (COALESCE({condition_concept_id}::bigint, 0) = 0 AND CAST({condition_source_value} AS text) ~* %(source_codes)s)
  )
ORDER BY 1, 3, 2, 4
