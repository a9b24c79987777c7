#!/bin/bash
# OpenLDAP's own programs against the directory at a URI: openldap.sh URI.
set -uo pipefail
export LDAPNOINIT=1
uri="$1"
base=dc=example,dc=com
admin="cn=admin,$base"
new="uid=added,ou=people,$base"
renamed="uid=renamed,ou=people,$base"

# step NAME COMMAND…: what it prints, and how it ends. Diagnostics on standard error are the servers' own words.
step() {
  local name="$1"
  shift
  "$@" 2>/dev/null | sed "s/^/$name: /"
  echo "$name: ends with ${PIPESTATUS[0]}"
}
as_admin() { "$1" -x -H "$uri" -D "$admin" -w "$DIRECTORY_PASSWORD" "${@:2}"; }
as_user() { "$1" -x -H "$uri" -D "uid=user1,ou=people,$base" -w password1 "${@:2}"; }

step dse ldapsearch -x -LLL -H "$uri" -s base -b '' namingContexts
step whoami as_admin ldapwhoami
step user as_user ldapwhoami
step refused ldapwhoami -x -H "$uri" -D "$admin" -w wrong
step refused_user ldapwhoami -x -H "$uri" -D "uid=user1,ou=people,$base" -w wrong
step nobody ldapwhoami -x -H "$uri" -D "uid=nobody,ou=people,$base" -w wrong
step search as_admin ldapsearch -LLL -b "$base" '(|(uid=user2)(uid=user3))' uid cn mail
step one as_admin ldapsearch -LLL -s one -b "$base" '(objectClass=*)' 1.1
step operational as_admin ldapsearch -LLL -s base -b "$base" '(objectClass=*)' structuralObjectClass
step none as_admin ldapsearch -LLL -b "$base" '(uid=nobody)'
step missing as_admin ldapsearch -LLL -b "ou=missing,$base" '(uid=nobody)'
step limited as_admin ldapsearch -LLL -z 4 -b "$base" '(uid=user*)' uid
step pages as_admin ldapsearch -LLL -E pr=3/noprompt -b "$base" '(uid=user*)' uid
step user_search as_user ldapsearch -LLL -b "$base" '(uid=user4)' mail
step user_pages as_user ldapsearch -LLL -E pr=4/noprompt -b "$base" '(uid=user*)' uid
step add as_admin ldapadd <<LDIF
dn: $new
objectClass: inetOrgPerson
uid: added
cn: Added
sn: A
description:: SsO8cmdlbiDFgXVrYXN6IOWxseeUsA==
LDIF
step added_twice as_admin ldapadd <<LDIF
dn: $new
objectClass: inetOrgPerson
uid: added
cn: Added
sn: A
LDIF
step modify as_admin ldapmodify <<LDIF
dn: $new
changetype: modify
add: mail
mail: one@example.com
mail: two@example.com
-
replace: cn
cn: Changed
LDIF
step bad_modify as_admin ldapmodify <<LDIF
dn: $new
changetype: modify
add: nosuchattribute
nosuchattribute: x
LDIF
step user_modify as_user ldapmodify <<LDIF
dn: $new
changetype: modify
replace: cn
cn: NotHis
LDIF
step modified as_admin ldapsearch -LLL -b "$new" -s base
step true as_admin ldapcompare "$new" cn:Changed
step false as_admin ldapcompare "$new" cn:Added
step assertion as_admin ldapmodify -e '!assert=(cn=Other)' <<LDIF
dn: $new
changetype: modify
replace: cn
cn: Asserted
LDIF
step read_back as_admin ldapmodify -e 'postread=cn' <<LDIF
dn: $new
changetype: modify
replace: cn
cn: Read
LDIF
step rename as_admin ldapmodrdn -r "$new" uid=renamed
step password as_admin ldappasswd -s changed "uid=user5,ou=people,$base"
step new_password ldapwhoami -x -H "$uri" -D "uid=user5,ou=people,$base" -w changed
step old_password ldapwhoami -x -H "$uri" -D "uid=user5,ou=people,$base" -w password5
step delete as_admin ldapdelete "$renamed"
step 'delete again' as_admin ldapdelete "$renamed"
step not_a_leaf as_admin ldapdelete "$base"
