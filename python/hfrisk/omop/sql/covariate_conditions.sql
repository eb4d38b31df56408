-- Dated records of some concepts of some persons.
SELECT DISTINCT
    {person_id}::bigint AS person_id,
    {condition_concept_id}::bigint AS concept_id,
    {condition_start_date}::date AS start_date
FROM {condition}
WHERE {condition_start_date} IS NOT NULL
  AND {condition_concept_id}::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[])))
  AND {person_id}::bigint IN (SELECT unnest(CAST(%(person_ids)s AS bigint[])))
