(function(){
"use strict";
var d=document;d.documentElement.classList.add("js");
function value(row,i,number){var c=row.cells[i],v=c.getAttribute("data-value");if(v===null)v=c.textContent.trim();return number?parseFloat(v)||0:v.toLowerCase()}
function sortable(table){
var heads=[].slice.call(table.tHead.rows[0].cells);
heads.forEach(function(th,i){
var b=d.createElement("button");b.type="button";b.textContent=th.textContent;th.textContent="";th.appendChild(b);
b.addEventListener("click",function(){
var number=th.getAttribute("data-type")==="number",was=th.getAttribute("aria-sort"),down=was?was==="ascending":number;
heads.forEach(function(h){h.removeAttribute("aria-sort")});
th.setAttribute("aria-sort",down?"descending":"ascending");
var body=table.tBodies[0],rows=[].slice.call(body.rows);
rows.sort(function(x,y){var a=value(x,i,number),b=value(y,i,number);return(a<b?-1:a>b?1:0)*(down?-1:1)});
rows.forEach(function(r){body.appendChild(r)})})})}
[].forEach.call(d.querySelectorAll("table.sortable,#list"),sortable);
var list=d.getElementById("list");if(!list)return;
var q=d.getElementById("q"),action=d.getElementById("action"),category=d.getElementById("category"),shown=d.getElementById("shown");
function filter(){
var words=q.value.trim().toLowerCase(),n=0,rows=list.tBodies[0].rows;
for(var i=0;i<rows.length;i++){var r=rows[i],ok=(!action.value||r.dataset.action===action.value)&&(!category.value||r.dataset.categories.indexOf(" "+category.value+" ")>=0)&&(!words||r.textContent.toLowerCase().indexOf(words)>=0);r.classList.toggle("hidden",!ok);if(ok)n++}
shown.textContent=n+" shown"}
[q,action,category].forEach(function(e){e.addEventListener("input",filter)});
function cell(v){v=v.replace(/\s+/g," ").trim();if(/^[=+\-@\t\r]/.test(v))v="'"+v;return'"'+v.replace(/"/g,'""')+'"'}
d.getElementById("csv").addEventListener("click",function(){
var out=["importance,name,username,action,on_tweet_of,followers,when_utc,text"],rows=list.tBodies[0].rows;
for(var i=0;i<rows.length;i++){var r=rows[i];if(r.classList.contains("hidden"))continue;
var c=r.cells,text=c[1].querySelector(".text");
out.push([c[0].dataset.value.replace(/^-1$/,""),c[1].dataset.value,c[1].querySelector(".at").textContent.slice(1),c[2].dataset.value,c[3].dataset.value,c[4].dataset.value.replace(/^-1$/,""),c[5].dataset.value,text?text.textContent:""].map(cell).join(","))}
var a=d.createElement("a");a.href=URL.createObjectURL(new Blob(["\ufeff"+out.join("\r\n")+"\r\n"],{type:"text/csv"}));
a.download=location.pathname.split("/").pop().replace(/\.html$/,"")+"-engagements.csv";a.click();
setTimeout(function(){URL.revokeObjectURL(a.href)},1000)});
})();
